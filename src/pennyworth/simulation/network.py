"""The simulated network: who listens where, and wires between those who connect and those who listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, NamedTuple

from pennyworth.simulation.process import PROCESS, Process
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wire import End


class Address(NamedTuple):
    """A place to listen at: what a socket would be elsewhere."""

    host: str


class Server:
    """What ``loop.create_server`` returns: it accepts until it is closed or its process dies."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory
        self.process = PROCESS.get()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    async def wait_closed(self) -> None:
        """Nothing to wait for."""

    @property
    def accepts(self) -> bool:
        return not (self.closed or (self.process is not None and self.process.dead))


class Network:
    """``ends``: of all wires that are not wholly gone. ``wait``: how long a connection takes at least."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop
        self._outside = Context()
        self._servers: dict[str, Server] = {}
        self._ends: list[End] = []

    def listen(self, at: Address, factory: Callable[[], Any]) -> Server:
        server = self._servers[at.host] = Server(factory)
        return server

    async def connect(self, host: str, protocol: Any, weather: Weather) -> End:
        """The near end of a new wire. Raises ``ConnectionRefusedError``; may never return."""
        fates = weather.fate(), weather.fate()
        becomes = weather.dials()
        await asyncio.sleep(fates[0].latency_s)
        if becomes == "lost":
            await asyncio.get_running_loop().create_future()
        server = self._servers.get(host)
        if becomes or server is None or not server.accepts:
            raise ConnectionRefusedError(111, "refused")
        near = End(self.loop, protocol, PROCESS.get(), self._outside, fates[0], weather)
        far = End(self.loop, None, server.process, self._outside, fates[1], weather)
        near.peer, far.peer = far, near
        self._note(near, far)
        self._accept(server, far)
        protocol.connection_made(near)
        return near

    def open_ends(self, process: Process | None) -> list[End]:
        """Ends that their protocol has not lost."""
        return [end for end in self._ends if not end.lost and end._process is process]

    def _accept(self, server: Server, far: End) -> None:
        """In the next turn of the listening process; nothing sent is delivered before it."""

        def accept() -> None:
            protocol = server.factory()
            far.set_protocol(protocol)
            protocol.connection_made(far)

        context = server.process.context if server.process else self._outside
        self.loop.call_soon(accept, context=context)

    def _note(self, *ends: End) -> None:
        self._ends += ends
        if len(self._ends) > 1000:
            self._ends = [end for end in self._ends if not end.lost]
