"""One caller's end of a flight: gives the reply in the form the caller asked for, and settles once.

The receipt is in the journal before the caller gets the reply's terminal byte. ``close`` may come at any time, from
any side, and twice: a caller who hangs up, a door that fails, the end of the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pennyworth.engine import heads
from pennyworth.engine.books import Books
from pennyworth.engine.flight import WHOLE, Flight
from pennyworth.engine.giving import all_at_once, blocks_for, cut_off, gives, status_for, translator
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.replays import Replays
from pennyworth.outcome import Outcome, Receipt, Served
from pennyworth.wire.translate import StreamTranslator

AskAgain = Callable[[Passage, Flight], Flight | None]
"""A follower's second chance: another flight to join, if this one failed before it gave anything."""


class Relay:
    """``await reply()`` for the head (and, unless ``more``, all of it), then ``await read()`` until ``b""``."""

    def __init__(self, passage: Passage, flight: Flight, books: Books, replays: Replays, ask_again: AskAgain) -> None:
        self._p = passage
        self._flight = flight
        self._books = books
        self._replays = replays
        self._ask_again = ask_again
        self._at = 0
        self._closed = False
        self._told = False
        self._translator: StreamTranslator | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._join(flight)

    @property
    def flight(self) -> Flight:
        return self._flight

    @property
    def receipt(self) -> Receipt | None:
        """Once it is written."""
        return self._p.receipt

    async def reply(self) -> Reply:
        """Waits until the reply has begun: a stream's first content, a whole body, or a failure."""
        while (reply := self.begun()) is None:
            await self._moved()
        return reply

    async def read(self) -> bytes:
        """The next events of a stream; ``b""`` when it has ended and the receipt is written."""
        while (block := self.take()) is None:
            await self._moved()
        return block

    def begun(self) -> Reply | None:
        """The same as ``reply``, for who does not wait: ``None`` means not yet, and ``watch`` tells when to ask again."""
        while True:
            flight = self._flight
            if self._closed:
                return Reply(499, [])  # nobody is there to read it
            if self._p.request.stream and flight.fed:
                self._p.answering = flight.target or self._p.target
                return Reply(200, heads.of_stream(self._p, flight.headers), more=True)
            if not flight.over:
                return None
            again = self._ask_again(self._p, flight)
            if again is None:
                return self._whole(flight)
            self._join(again)

    def take(self) -> bytes | None:
        """The same as ``read``, for who does not wait: ``None`` means that nothing is there yet."""
        flight = self._flight
        blocks = blocks_for(self._p, flight)
        while not self._closed:
            if self._at < len(blocks):
                block = b"".join(blocks[self._at :]) if len(blocks) - self._at > 1 else blocks[self._at]
                self._at = len(blocks)
                if flight.codec.name != self._p.request.dialect:
                    block = self._translated(flight, block)
                if flight.outcome is not None:
                    self._settle(flight, flight.outcome)
                flight.took(flight.pushed)
                flight.forget(self._at)
                if block:
                    return block
            elif flight.over:
                return self._last(flight)
            else:
                return None
        return b""

    def _translated(self, flight: Flight, block: bytes) -> bytes:
        if self._translator is None:
            self._translator = translator(self._p, flight)
        return self._translator.feed(block)

    def watch(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` once, when there may be more."""
        self._flight.watch(wake)

    def close(self) -> None:
        """The caller wants no more: settled if it was not, and the flight ends if nobody else reads it."""
        if self._closed:
            return
        self._closed = True
        self._stir()
        if self._p.receipt is None:
            self._p.left = True
        self._flight.leave()
        if self._p.receipt is None and (not self._p.leads or self._flight.stand_in is not None):
            self._books.settle(self._p, served="none", ending="caller_left", status=499)

    async def _moved(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._flight.watch(self._stir)
        await self._waiter

    def _stir(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _join(self, flight: Flight) -> None:
        self._flight = flight
        flight.join()
        if not self._p.request.stream:
            flight.took(WHOLE)

    def _settle(self, flight: Flight, outcome: Outcome) -> None:
        """A leader was settled by its flight; whoever shared the call pays nothing."""
        self._p.answering = flight.target or self._p.target
        if self._p.receipt is None:
            gave = gives(self._p, flight, outcome)
            served: Served = "coalesced" if gave else "none"
            status = status_for(self._p, flight, outcome, gives=gave)
            self._books.settle(self._p, served=served, ending=outcome.ending, status=status, usage=flight.usage)

    def _last(self, flight: Flight) -> bytes:
        """The end of a stream: nothing, the event that says it broke off, or what its translation was waiting for."""
        outcome = flight.outcome
        assert outcome is not None
        self._settle(flight, outcome)
        if self._told:
            return b""
        self._told = True
        if outcome.ending == "cut":
            return cut_off(self._p, outcome)
        return self._translator.finish() if self._translator is not None and outcome.whole else b""

    def _whole(self, flight: Flight) -> Reply:
        """The flight is over and nothing of it has been given: all at once, in the caller's form."""
        if flight.stand_in is not None:
            return self._replays.give(self._p, flight.stand_in, flight.served)
        outcome = flight.outcome
        assert outcome is not None
        self._settle(flight, outcome)
        assert self._p.receipt is not None
        head = heads.of_whole(self._p, self._p.receipt, flight.headers, outcome)
        status, body = all_at_once(self._p, outcome)
        return Reply(status, head, body)
