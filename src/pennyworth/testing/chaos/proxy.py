"""The proxy: who may connect, which faults each connection gets, and what was seen of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Literal

from pennyworth.testing.chaos.faults import Fault
from pennyworth.testing.chaos.line import Line, Seen

Faults = Sequence[Fault]
"""Of one connection; none = it is left alone."""

Door = Literal["open", "refusing", "unheard"]
"""What becomes of those who want to connect: ``refusing``: nobody listens. ``unheard``: they get no answer at all."""


class ChaosProxy:
    """Listens while it is entered. Connections get the entries of the script in turn, then what ``then`` says.

    Attributes:
        port: where it listens, from the first entering on.
        seen: what was done to each connection, in order; filled in while it lasts.
    """

    def __init__(
        self,
        host: str,
        port: int,
        script: Iterable[Faults] = (),
        *,
        then: Faults = (),
        share: float = 1.0,
        seed: int = 0,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        told: Callable[[Seen], None] | None = None,
    ) -> None:
        """``share`` of the connections beyond the script, by chance, get ``then``; the others are left alone.
        ``told`` is called with each connection that has ended."""
        self.port = listen[1]
        self.seen: list[Seen] = []
        self._to = (host, port)
        self._host = listen[0]
        self._script = list(script)
        self._then = then
        self._share = share
        self._seed = seed
        self._chance = random.Random(f"{seed} share")
        self._told = told or (lambda seen: None)
        self._server: asyncio.Server | None = None
        self._crowd: list[socket.socket] = []
        self._lines: dict[asyncio.Task[None], Line] = {}

    async def __aenter__(self) -> ChaosProxy:
        await self.door("open")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._shut()
        for task in list(self._lines):
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    @property
    def open_lines(self) -> int:
        """Connections that have not ended."""
        return len(self._lines)

    def play(self, *script: Faults, then: Faults = (), share: float = 1.0) -> None:
        """From the next connection on, these faults instead of what was said before."""
        self._script, self._then, self._share = list(script), then, share

    def break_all(self) -> None:
        """Resets every connection there is."""
        for line in list(self._lines.values()):
            line.reset()

    async def door(self, door: Door) -> None:
        """Whether there is anybody to connect to. Connections that exist stay."""
        await self._shut()
        if door == "open":
            self._server = await asyncio.start_server(self._accept, sock=self._bound(1024))
        elif door == "unheard":
            self._crowd = _crowd(self._bound(0))

    async def _shut(self) -> None:
        for one in self._crowd:
            one.close()
        self._crowd = []
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _bound(self, backlog: int) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self.port))
        listener.listen(backlog)
        self.port = listener.getsockname()[1]
        return listener

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(Seen(len(self.seen), tuple(self._next())), f"{self._seed} {len(self.seen)}", reader, writer)
        self.seen.append(line.seen)
        task = asyncio.get_running_loop().create_task(line.run(*self._to))
        self._lines[task] = line
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._told(self._lines.pop(task).seen)

    def _next(self) -> Faults:
        if self._script:
            return self._script.pop(0)
        return self._then if self._then and self._chance.random() < self._share else ()


def _crowd(listener: socket.socket) -> list[socket.socket]:
    """Fills the queue of who waits to be accepted, so that the kernel answers no other (Linux drops their SYN)."""
    crowd = [listener]
    for _ in range(2):
        one = socket.socket(listener.family)
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(listener.getsockname())
        crowd.append(one)
    return crowd
