"""Time and books around batches at providers: when to look, when it is too late, and what ends an intent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from pennyworth.batch.card import Lane
from pennyworth.engine.waiting import Waiting
from pennyworth.errors import StoreError
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.money import Money
from pennyworth.outcome import Receipt
from pennyworth.ports import Ledger
from pennyworth.request import Caller

LONGEST_REST_S = 1800.0
"""Of the time that is kept for asking directly what a provider has left."""


class Tide:
    """``due_s``: Unix time of the deadline; ``deadline_s``: how long it was. ``say``, ``warn``, ``tell``: for people."""

    def __init__(
        self,
        *,
        due_s: float,
        deadline_s: float,
        poll_s: float,
        halt: asyncio.Event,
        books: tuple[Waiting, Ledger, JournalFolder | None],
        caller: Caller,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        tell: Callable[[], None],
    ) -> None:
        self.poll_s = poll_s
        self._late_s = due_s - min(LONGEST_REST_S, deadline_s / 10)
        self._halt = halt
        self._waiting, self._ledger, self._folder = books
        self._caller = caller
        self.say = say
        self.tell = tell
        self._warn = warn
        self._warned = ""

    def now_s(self) -> float:
        return time.time()

    def is_late(self) -> bool:
        """The rest of the time is for asking directly."""
        return self.now_s() >= self._late_s

    def warn(self, what: str) -> None:
        """Once, however often it is so."""
        if what != self._warned:
            self._warned = what
            self._warn(what)

    async def pause(self) -> None:
        await self.until(self.now_s() + self.poll_s)

    async def until(self, at_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._halt.wait(), max(0.0, at_s - self.now_s()))

    async def close_intent(self, lane: Lane) -> bool:
        """Its lines have receipts of their own now. Where the process that wrote the intent died, or was stopped, the
        ledger has booked it with its estimate meanwhile, which is taken back. ``False``: that cannot be seen now."""
        try:
            if self._folder is not None:
                await asyncio.to_thread(self._folder.flush)
            booked = await asyncio.to_thread(self._ledger.receipt, lane.receipt)
        except StoreError as error:
            self.warn(f"{error}. It is tried again.")
            return False
        if booked is None:
            self._waiting.acknowledge(
                self._receipt(lane, lane.receipt, Money(0), "its lines have receipts of their own")
            )
        elif booked.ending == "unknown":
            words = "takes back an estimate: its lines have receipts of their own"
            back = self._receipt(lane, f"{lane.receipt}-c", -booked.spent, words, parent=lane.receipt)
            self._waiting.acknowledge(back)
        return True

    def _receipt(self, lane: Lane, receipt_id: str, amount: Money, words: str, parent: str = "") -> Receipt:
        return Receipt(
            id=receipt_id,
            at_s=self.now_s(),
            worker="batch",
            scope=self._caller.scope,
            model=lane.model,
            served="none",
            ending="complete",
            status=200,
            reason=f"a batch of {lane.lines} lines at {lane.provider} ({lane.id or 'not taken'}): {words}",
            target=f"{lane.provider}/{lane.model}",
            spent=amount,
            basis="estimated" if amount else "none",
            would_have_cost=amount,
            would_basis="estimated" if amount else "none",
            client=self._caller.client,
            team=self._caller.team,
            parent=parent,
        )
