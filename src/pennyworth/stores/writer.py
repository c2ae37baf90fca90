"""The thread that writes a cache file: puts in batches, eviction, sweeping, and opening the file again after trouble.

Requests never wait for it. It takes a turn as soon as there is something to write, after gathering for a moment, and
once a second anyway: to try again after trouble, and to notice that another process has set the file aside.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from concurrent.futures import Future

from pennyworth.errors import ConfigError, StoreError
from pennyworth.outcome import Kept
from pennyworth.request import Key
from pennyworth.stores import purging
from pennyworth.stores.backlog import Backlog
from pennyworth.stores.batch import write
from pennyworth.stores.cover import NO_SALTS, Salts
from pennyworth.stores.database import Database
from pennyworth.stores.eviction import Limits, evict, mark_read
from pennyworth.stores.opening import DamagedError
from pennyworth.stores.salts import salts_of
from pennyworth.stores.schema import PER_KEY, TOTALS, load_totals, totals_of
from pennyworth.stores.seal import Seal
from pennyworth.view import Control

_GATHER_S = 0.4
"""How long a turn waits for company: a put costs far less in a full batch than alone. Others are to see it within a second."""

_TURN_S = 1.0
_BATCH = 1024
_BATCH_BYTES = 4 * 2**20
"""Rows a transaction, and bytes of their answers; encoded, they are all in memory at once."""

_MARKS = 8192
_KILLS_NOTHING = Control()


class Writer(threading.Thread):
    """Writes one ``Database``.

    Attributes:
        trouble: why nothing can be written at present, "" when all is well.
        lost: puts given up: no row can hold them.
    """

    def __init__(self, database: Database, seal: Seal, backlog: Backlog, max_entries: int, max_bytes: int) -> None:
        super().__init__(name=f"store {database.path.name}", daemon=True)
        self.trouble = ""
        self.lost = 0
        self._database = database
        self._seal = seal
        self._backlog = backlog
        self._limits = Limits(max_entries, max_bytes)
        self._control = Control()
        self._swept = True  # nothing that we know of is left of what ``_control`` kills
        self._read: deque[Key] = deque(maxlen=_MARKS)
        self._sweeps: deque[tuple[Control, float, Future[int]]] = deque()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._ending = threading.Event()
        self._over = threading.Event()

    def open(self) -> None:
        """The first opening, by the constructing thread. ``ConfigError`` is for the operator; other trouble may pass."""
        try:
            self._database.open()
        except StoreError as error:
            self._stumble(f"{error}")

    def nudge(self, *, hurry: bool = False) -> None:
        """There is something to write: soon, in company, or in a ``hurry`` at once."""
        if hurry:
            self._urgent.set()
        if not self._wake.is_set():  # it nearly always is while there is much to do, and asking costs a tenth
            self._wake.set()

    def note_read(self, key: Key) -> None:
        """A key was read: it deserves another round. Of more than a few thousand the last are remembered."""
        self._read.append(key)

    def sweep(self, control: Control, now_s: float) -> Future[int]:
        """Asks for a sweep; the future is done after it, and after all that was put before it."""
        asked: Future[int] = Future()
        self._sweeps.append((control, now_s, asked))
        self._urgent.set()
        self._wake.set()
        if self._over.is_set():
            self._answer_sweeps("closed")
        return asked

    def end(self) -> None:
        """A last turn, then the thread ends."""
        self._ending.set()
        self._urgent.set()
        self._wake.set()

    def run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(_TURN_S)
            self._urgent.wait(_TURN_S if self.trouble else _GATHER_S)
            self._urgent.clear()
            self._wake.clear()
            self._turn()
        self._turn()
        self._database.close()
        self._over.set()
        self._answer_sweeps("closed")

    def _turn(self) -> None:
        try:
            self._database.open()
            self._write_backlog()
            self._write_marks()
            self.trouble = ""
        except DamagedError as error:
            self._database.condemn(f"{error}")
            self._stumble(f"{error}")
        except (StoreError, ConfigError) as error:
            self._stumble(f"{error}")
        except Exception as error:  # the top of a thread: were it to die, no put would ever be written again
            self._stumble(f"unexpected: {error!r}")
        self._answer_sweeps(self.trouble)

    def _stumble(self, words: str) -> None:
        if words != self.trouble:
            self.trouble = words
            self._database.on_trouble(words)

    def _write_backlog(self) -> None:
        """All that was put before. What comes meanwhile has the next turn, or batches would be small under load."""
        full = True
        while full and (waiting := self._backlog.batch(_BATCH)):
            batch = _first(waiting, _BATCH_BYTES)
            self._write(batch)
            full = len(waiting) == _BATCH or len(batch) < len(waiting)

    def _write(self, batch: list[Kept]) -> None:
        sealed = self._seal.close(batch, self._salts(batch))
        self.lost += len(batch) - len(sealed)
        fitting = [row for row in sealed if row.size + PER_KEY <= self._limits.bytes]
        with self._database.transaction() as db:
            totals = load_totals(db)
            write(db, fitting, totals)
            if self._limits.are_near(totals):
                self._mark(db, {kept.key for kept in batch})
                evict(db, self._limits, totals)
            totals.save(db)
        self._backlog.done(batch)
        if self._swept and not purging.selects_the_same(self._control, _KILLS_NOTHING):
            self._swept = not any(self._control.kills(row.answer, row.key.hex()) for row in fitting)

    def _salts(self, batch: list[Kept]) -> Salts:
        cover = self._seal.cover
        if not (cover.salted and batch):
            return NO_SALTS
        with self._database.transaction() as db:
            return salts_of(db, {cover.name("scope", kept.answer.scope) for kept in batch})

    def _write_marks(self) -> None:
        """Of reads that no put came after: another process's puts may push out what they deserve to keep."""
        if self._read and self._limits.are_near(totals_of(self._database.read(TOTALS, ()))):
            with self._database.transaction() as db:
                self._mark(db, set())

    def _mark(self, db: sqlite3.Connection, written: set[Key]) -> None:
        """Before anything is evicted: so whatever was read before a put was made outlasts that put.

        In a roomy store nothing is marked: the reads are remembered until it is tight.
        """
        noted = {self._read.popleft() for _ in range(len(self._read))}
        still_waiting = {key for key in noted if key not in written and self._backlog.get(key)}
        self._read.extend(still_waiting)
        mark_read(db, noted - still_waiting)

    def _answer_sweeps(self, refusal: str) -> None:
        while self._sweeps:
            control, now_s, asked = self._sweeps.popleft()
            if not asked.set_running_or_notify_cancel():
                continue
            try:
                if refusal:
                    raise StoreError(refusal)
                asked.set_result(self._sweep(control, now_s))
            except Exception as error:  # whatever it is, whoever asked is told, and the thread goes on
                asked.set_exception(error)

    def _sweep(self, control: Control, now_s: float) -> int:
        """In small transactions, so that other processes write between them; and so do our own puts."""
        swept, more = 0, True
        while more:
            self._write_backlog()
            with self._database.transaction() as db:
                removed = purging.remove_expired(db, now_s)
            swept, more = swept + removed, purging.is_full(removed)
        if self._swept and purging.selects_the_same(control, self._control):
            return swept
        self._control, self._swept = control, True  # from here on puts are judged by it
        try:
            return swept + self._sweep_killed(control)
        except BaseException:
            self._swept = False
            raise

    def _sweep_killed(self, control: Control) -> int:
        with self._database.transaction() as db:
            purging.prepare(db, control, self._seal.marks)
        swept = 0
        after: int | None = 0
        while after is not None:
            self._write_backlog()
            with self._database.transaction() as db:
                removed, after = purging.remove_killed(db, control, after)
            swept += removed
        if swept:
            self._database.empty_log()  # it still holds the pages as they were
        return swept


def _first(waiting: list[Kept], most: int) -> list[Kept]:
    """As many as have no more bytes than that, but one at least."""
    size = 0
    for place, kept in enumerate(waiting):
        size += len(kept.answer.raw)
        if size > most and place:
            return waiting[:place]
    return waiting
