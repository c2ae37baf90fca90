"""Forgetting somebody everywhere: which places there are, in what order, and the record of it.

First nothing of theirs is given or kept any more (the control row), then the places are emptied, books before answers, then
it is noted. Each step may be done again; whoever is interrupted begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pennyworth.decide import invalidate
from pennyworth.decide.key import Keyring
from pennyworth.errors import StoreError
from pennyworth.ledgers.erasure import ReceiptsErased
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal_erasure import JournalErased
from pennyworth.ledgers.segments import segments_in
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.plan import Plan
from pennyworth.ports import ControlRow, ErasureBook, Forgets
from pennyworth.state_dir import ANSWERS, IDEMPOTENCY, JOURNAL, LEDGER, SEALING, state_dir
from pennyworth.stores.cover import Marks
from pennyworth.stores.erasing import AnswersErased, SetAside
from pennyworth.stores.idempotency_erasing import PromisesErased
from pennyworth.view import Control
from pennyworth.whom import Erasure, Sort, Whom

OUT_OF_REACH = (
    "what providers keep of it in their own logs",
    "backups and copies of the state directory, and blocks that a disk or file system keeps of old versions of a file",
    "your own logs, configuration and key book, which may name a key or scope",
)
"""What no forgetting here reaches; said wherever one is done."""


class Confirmed(msgspec.Struct, frozen=True):
    """The control row after the change, and how many of how many running workers are known to go by it."""

    row: Control
    confirmed: int = 0
    workers: int = 0


class Eraser:
    """Forgets people in one deployment.

    Args:
        places: in the order in which they are emptied.
        catch_up: brings the ledger up to date with the journal. Raises ``StoreError``.
    """

    def __init__(
        self, keyring: Keyring, places: Sequence[Forgets], book: ErasureBook, catch_up: Callable[[], object]
    ) -> None:
        self._keyring = keyring
        self._places = places
        self._book = book
        self._catch_up = catch_up

    def whom(self, by: Sort, value: str) -> Whom:
        """An end user is given as callers name him: here it becomes what records know of him."""
        return Whom(by=by, value=self._keyring.pseudonym("end user", value) if by == "user" else value)

    def count(self, whom: Whom) -> dict[str, int]:
        """How many records of each place tell of them."""
        self._catch_up()
        return {place.place: place.count(whom) for place in self._places}

    def erase(self, whom: Whom, before: dict[str, int], by_now: Confirmed, now_s: float) -> Erasure:
        """Empties every place of what was asked until now, and notes it. ``before``: as counted before anything changed:
        workers remove answers by themselves as soon as the control row says so."""
        past = msgspec.structs.replace(whom, until_s=now_s, epoch=by_now.row.epoch)
        gone, failed = dict(before), {}
        self._catch_up()
        for place in self._places:
            try:
                gone[place.place] = max(place.forget(past), before.get(place.place, 0))
            except StoreError as error:
                failed[place.place] = str(error)
        erasure = Erasure(
            at_s=now_s,
            by=whom.by,
            pseudonym=whom.value if whom.by == "user" else self._keyring.pseudonym(whom.by, whom.value),
            gone=gone,
            failed=failed,
            confirmed=by_now.confirmed,
            workers=by_now.workers,
        )
        self._book.note(erasure)
        return erasure

    def erasures(self, limit: int = 100) -> Sequence[Erasure]:
        return self._book.erasures(limit)


def change(whom: Whom, now_s: float) -> Callable[[Control], Control]:
    """The change of the control row after which nothing of theirs is given, kept or written down."""
    return lambda control: invalidate.forget(control, whom.by, whom.value, now_s)


def forget_from_outside(eraser: Eraser, whom: Whom, control: ControlRow, folder: Path, wait_s: float) -> Erasure:
    """Beside workers that may be running on the state directory. They read the control row five times a second, so
    ``wait_s`` later all of them go by it; nobody is there to confirm it."""
    before = eraser.count(whom)
    row = control.change(change(whom, time.time()))
    workers = len({segment.owner for segment in segments_in(folder / JOURNAL)})  # the dead ones' are gone by now
    if workers:
        time.sleep(wait_s)
    return eraser.erase(whom, before, Confirmed(row, 0, workers), time.time())


def open_eraser(plan: Plan, keyring: Keyring, ledger: SqliteLedger, folder: JournalFolder) -> Eraser:
    """That of a state directory."""
    at = state_dir(plan)
    receipts = ReceiptsErased(at / LEDGER)
    marks = Marks(keyring.derive(SEALING))
    answers = AnswersErased(at / ANSWERS, marks)
    promises = PromisesErased(at / IDEMPOTENCY, marks)
    places = (receipts, JournalErased(at / JOURNAL, ledger), SetAside(at / ANSWERS), promises, answers)
    return Eraser(keyring, places, receipts, folder.flush)
