"""One connection through the chaos proxy: both directions carried, each along its own course, and the ending of both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import Literal

from pennyworth.testing.chaos.faults import FOR_EVER, BlackHole, Course, End, Fault, Pass, Refuse, Wait

_PIECE = 64 * 1024
_DISCARD = struct.pack("ii", 1, 0)

Ended = Literal["", "closed", "cut", "reset", "refused", "no server"]
"""``closed``: by client or server. ``cut``, ``reset``, ``refused``: by us. ``no server``: there was none to carry to."""


class Seen:
    """What was done to one connection.

    Attributes:
        up, down: bytes passed on to the server, and to the client. ``corrupted``: offsets changed on the way down.
        ended: "" while it lasts.
    """

    def __init__(self, number: int, faults: tuple[Fault, ...]) -> None:
        self.number = number
        self.faults = faults
        self.up = 0
        self.down = 0
        self.corrupted: list[int] = []
        self.corrupted_up: list[int] = []
        self.ended: Ended = ""


class _Over(Exception):  # noqa: N818  # no error: the way both directions end
    def __init__(self, how: Ended) -> None:
        super().__init__(how)
        self.how = how


class Line:
    """``run`` once; ``reset`` at any time."""

    def __init__(self, seen: Seen, seed: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = seen
        self._down = Course(seen.faults, "down", seed)
        self._up = Course(seen.faults, "up", seed)
        self._reader = reader
        self._writer = writer
        self._writers = [writer]
        self._stuck = False
        self._alone = False
        seen.corrupted, seen.corrupted_up = self._down.corrupted, self._up.corrupted

    async def run(self, host: str, port: int) -> None:
        how: Ended = "closed"
        try:
            how = await self._carry(host, port)
        finally:
            self._count()
            self.seen.ended = self.seen.ended or how
            self._end(by_reset=how in ("reset", "refused"))

    def reset(self) -> None:
        self.seen.ended = "reset"
        self._end(by_reset=True)

    async def _carry(self, host: str, port: int) -> Ended:
        if any(isinstance(fault, Refuse) for fault in self.seen.faults):
            return "refused"
        if any(isinstance(fault, BlackHole) for fault in self.seen.faults):
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
            await asyncio.Event().wait()
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            return "no server"
        self._writers.append(writer)
        ways = [self._one_way(self._up, self._reader, writer), self._one_way(self._down, reader, self._writer)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            for first in asyncio.as_completed(tasks):
                await first
                if self._stuck:
                    break
                self._alone = True
        except _Over as over:
            return over.how
        except ConnectionError:
            return self.seen.ended or "closed"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return "closed"

    async def _one_way(self, course: Course, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        acts = course.begin()
        while True:
            for act in acts:
                await self._do(act, writer)
            self._count()
            data = await reader.read(_PIECE)
            if not data:
                break
            acts = course.feed(data)
        if not course.swallows and writer.can_write_eof():
            writer.write_eof()
        elif course.swallows:
            await self._for_ever()

    async def _do(self, act: Pass | Wait | End, writer: asyncio.StreamWriter) -> None:
        match act:
            case Pass(data):
                writer.write(data)
                await writer.drain()
            case Wait(s):
                await asyncio.sleep(s) if s != FOR_EVER else await self._for_ever()
            case End(by_reset):
                if by_reset:
                    await asyncio.sleep(0.01)  # what was passed on before it has left the kernel: a reset discards
                raise _Over("reset" if by_reset else "cut")

    async def _for_ever(self) -> None:
        """This way is dead. Once the other has ended, so has the connection: nobody would notice it any more."""
        if self._alone:
            raise _Over("closed")
        self._stuck = True
        await asyncio.Event().wait()

    def _count(self) -> None:
        self.seen.up, self.seen.down = self._up.passed, self._down.passed

    def _end(self, *, by_reset: bool) -> None:
        for writer in self._writers:
            if by_reset:
                _linger_not(writer)
                writer.transport.abort()
            else:
                with contextlib.suppress(RuntimeError):
                    writer.close()


def _linger_not(writer: asyncio.StreamWriter) -> None:
    """A linger time of zero makes closing a reset (socket(7)). By way of a twin, because uvloop hides ``setsockopt``."""
    with contextlib.suppress(OSError, ValueError):
        twin = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
        twin.close()
