"""One request of a caller in another thread, from its asking to the end of its reply, waited for with a loop or without.

Where the reply can be given at once, as a hit can, one turn of the engine's loop is all it takes, and nobody is woken.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.server.asked import Asked
from pennyworth.transport.house import House

T = TypeVar("T")

_ENDED = Refuse(503, "draining", "This Pennyworth was closed while the request was under way.")


class Visit:
    """``reply`` or ``reply_async`` for the head (and, unless ``more``, all of it), then ``read`` until ``b""``.

    Waiting raises ``TimeoutError`` after ``within_s``. ``close`` may come at any time, from any side, and twice; whoever
    forgets it is taken to have left when the visit is collected.
    """

    _over = True
    """Of one that a signal kept from being made."""

    def __init__(self, house: House, asked: Asked) -> None:
        self._house = house
        self._given: Reply | Relay | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake: Callable[[], None] | None = None
        self._left = False
        self._over = False
        house.loop.take(self._ask, asked)

    def __del__(self) -> None:
        if not self._over and isinstance(self._given, Relay):
            self._house.later(self._given.close)

    def reply(self, within_s: float | None) -> Reply:
        return self._given if isinstance(self._given, Reply) else self._wait(self._begun, within_s)

    def read(self, within_s: float | None) -> bytes:
        return self._wait(self._take, within_s)

    async def reply_async(self, within_s: float | None) -> Reply:
        return self._given if isinstance(self._given, Reply) else await self._wait_async(self._begun, within_s)

    async def read_async(self, within_s: float | None) -> bytes:
        return await self._wait_async(self._take, within_s)

    def close(self) -> None:
        """In a turn of its own, soon: a finalizer may call it in the middle of another."""
        if not self._over:
            self._over = True
            self._house.later(self._leave)

    # Waiting, in the caller's thread.

    def _wait(self, look: Callable[[], T | None], within_s: float | None) -> T:
        """By a bare lock: a signal that strikes within an ``Event`` may leave it locked, and the engine with it."""
        moved = threading.Lock()
        moved.acquire()
        look_once = partial(self._look, look, partial(_release, moved))
        while (found := self._house.loop.take(look_once)) is None:
            if not moved.acquire(timeout=-1 if within_s is None else min(within_s, threading.TIMEOUT_MAX)):
                raise TimeoutError
        return found

    async def _wait_async(self, look: Callable[[], T | None], within_s: float | None) -> T:
        loop = asyncio.get_running_loop()
        while True:
            moved: asyncio.Future[None] = loop.create_future()
            found = self._house.loop.take(partial(self._look, look, _waker(loop, moved)))
            if found is not None:
                return found
            async with asyncio.timeout(within_s):
                await moved

    # In a turn.

    def _ask(self, asked: Asked) -> None:
        if self._house.ended:
            self._given = self._house.door.refuse(_ENDED)
            return
        try:
            given = self._house.door.answer(asked)
        except Exception as error:  # the edge: a defect of ours is answered in the caller's dialect too
            given = self._house.door.failed(error)
        if isinstance(given, Reply | Relay):
            self._given = given
        else:
            self._task = self._house.loop.create_task(self._await(given))

    async def _await(self, answer: Awaitable[Reply | Relay]) -> None:
        try:
            given = await answer
        except asyncio.CancelledError:  # the loop is ending, and somebody waits for this
            given = self._house.door.refuse(_ENDED)
        except Exception as error:  # as above
            given = self._house.door.failed(error)
        self._given = given
        if self._left:
            self._leave()
        elif self._wake is not None:
            self._wake()

    def _look(self, look: Callable[[], T | None], wake: Callable[[], None]) -> T | None:
        found = look()
        if found is None:
            if isinstance(self._given, Relay):
                self._given.watch(wake)
            else:
                self._wake = wake
        return found

    def _begun(self) -> Reply | None:
        given = self._given
        if not isinstance(given, Relay):
            return given
        try:
            reply = given.begun()
        except Exception as error:  # as above
            reply = self._house.door.failed(error)
        if reply is not None and not reply.more:
            self._leave()
        return reply

    def _take(self) -> bytes | None:
        relay = self._given
        if self._over or not isinstance(relay, Relay):
            return b""
        block = relay.take()
        if block == b"":
            self._leave()
        return block

    def _leave(self) -> None:
        self._left = self._over = True
        if isinstance(self._given, Relay):
            self._given.close()


def _release(moved: threading.Lock) -> None:
    with suppress(RuntimeError):  # woken already
        moved.release()


def _waker(loop: asyncio.AbstractEventLoop, moved: asyncio.Future[None]) -> Callable[[], None]:
    def set_it() -> None:
        if not moved.done():
            moved.set_result(None)

    def wake() -> None:
        with suppress(RuntimeError):  # the caller's loop has ended, and he with it
            loop.call_soon_threadsafe(set_it)

    return wake
