"""One question on its way to providers, owned by the engine; callers are its readers.

Readers come and go (one leaving ends nothing for the others); when the last has gone the flight is cancelled. Blocks
are kept as they came, so a reader who joins late reads from the first byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pennyworth.engine.terms import Terms
from pennyworth.money import Usage
from pennyworth.outcome import Kept, Outcome, Served
from pennyworth.plan import Target
from pennyworth.request import Key
from pennyworth.wire.codec import Codec
from pennyworth.wire.dialects import CODECS

_READ_AHEAD = 32 * 1024
"""How far the provider may run ahead of the fastest reader, in bytes."""


WHOLE = 1 << 62
"""What a reader has taken who waits for the whole reply, and so must not hold the provider back."""


class Flight:
    """A call under way and what it has brought so far.

    Attributes:
    target, headers: who gives the reply, and that provider's headers. ``codec``: of the dialect it is given in.
    blocks, bare: the events so far, and the same without the usage nobody asked for.
    pushed: bytes so far. ``usage``: the tokens of the reply, estimated where the provider gave none.
    shared_under: the key and epoch by which others find it.
    terms, patience_s: those of who began it. Whoever came on other terms, or waits longer, is not served by it.
    outcome: set at the terminal event; ``over`` once nothing more will come.
    stand_in: a kept answer to give instead, and how it is ``served``: it came meanwhile, or the provider fails.
    defective: we failed ourselves, so that asking once more may help.
    alone: one reader is left with it, and nobody may join: what was read is forgotten.
    status: of a reply that is passed through and has begun; 0 for any other.
    """

    def __init__(self, terms: Terms | None = None, patience_s: float = 0.0) -> None:
        self.terms = terms
        self.patience_s = patience_s
        self.over = False
        self.outcome: Outcome | None = None
        self.target: Target | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.codec: Codec = CODECS["chat"]
        self.stand_in: Kept | None = None
        self.served: Served = "upstream"
        self.usage: Usage | None = None
        self.blocks: list[bytes] = []
        self.bare: list[bytes] = []
        self.task: asyncio.Task[None] | None = None
        self.shared_under: tuple[Key, int] | None = None
        self.aborted = ""
        self.defective = False
        self.alone = False
        self.status = 0
        self.wanted = True
        self._flying = False
        self._readers = 0
        self.pushed = 0
        self._taken = 0
        self._forgotten = 0
        self._watching: list[Callable[[], None]] = []
        self._room: asyncio.Future[None] | None = None

    @property
    def fed(self) -> bool:
        """Something of the reply may have reached a caller."""
        return bool(self.blocks)

    def join(self) -> None:
        self._readers += 1

    def leave(self) -> None:
        """A reader goes; the last one ends the flight, if it is still under way."""
        self._readers -= 1
        self._make_room()
        if self._readers <= 0 and self.outcome is None and self.stand_in is None:
            self.abort("")

    def take_off(self) -> bool:
        """The task has begun to run: from now on cancelling it is how to end the flight."""
        self._flying = True
        return self.wanted

    def abort(self, why: str) -> None:
        """Ends the flight from our side: ``why`` is what readers are told ("" = nobody is left to tell)."""
        self.aborted = why
        self.wanted = False
        if self._flying and self.task is not None and not self.task.done():
            self.task.cancel()  # a task that has not begun would never run its ending: it looks at ``wanted`` first

    def push(self, events: list[bytes]) -> None:
        """Hands events on; the reply counts as begun from here on."""
        block = b"".join(events)
        self.blocks.append(block)
        if b'"usage"' in block:
            hide_usage = self.codec.hide_usage
            bare = b"".join([hide_usage(event) if b'"usage"' in event else event for event in events])
        else:
            bare = block
        self.bare.append(bare)
        self.pushed += len(block)
        self._wake()

    def begin_as_it_is(self, status: int) -> None:
        """A reply of no dialect has begun, with this status."""
        self.status = status
        self._wake()

    def push_as_it_is(self, block: bytes) -> None:
        """Hands a piece of it on."""
        self.blocks.append(block)
        self.bare.append(block)
        self.pushed += len(block)
        self._wake()

    def answers(self, target: Target, headers: tuple[tuple[str, str], ...], codec: Codec) -> None:
        """The reply is this target's, be it an answer or a failure, in this dialect."""
        self.codec = codec
        self.target = target
        self.headers = headers

    def settle(self, outcome: Outcome, usage: Usage | None) -> None:
        """The reply is known to its end; what is pushed after this is its terminal event."""
        self.outcome = outcome
        self.usage = usage

    def give_instead(self, kept: Kept, served: Served) -> None:
        """A kept answer is given to every reader; each settles for itself."""
        self.stand_in = kept
        self.served = served

    def finish(self) -> None:
        self.over = True
        self._wake()

    def watch(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` once, when something has changed. It must not raise."""
        self._watching.append(wake)

    def took(self, size: int) -> None:
        """A reader has passed ``size`` bytes on; the fastest one sets the provider's pace."""
        self._taken = max(self._taken, size)
        self._make_room()

    def leave_alone(self) -> bool:
        """The reply is too long to be kept: whether one reader has it for himself from now on. One who wants it whole at
        the end, or several, need all of it."""
        self.alone = self._readers == 1 and self._taken < WHOLE
        return self.alone

    def forget(self, read: int) -> None:
        """The blocks before this one have been read by all there are."""
        if self.alone:
            for place in range(self._forgotten, read):
                self.blocks[place] = self.bare[place] = b""
            self._forgotten = read

    async def room(self) -> None:
        """Waits while every reader lags behind."""
        while self.pushed - self._taken > _READ_AHEAD and self._readers > 0:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _wake(self) -> None:
        watching, self._watching = self._watching, []
        for wake in watching:
            wake()
