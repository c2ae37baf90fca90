"""One worker: an engine behind the public door, on a socket that others may share. Drains when told to stop.

A stop closes the listener at once, lets requests finish, and at the deadline ends what is left with an error event.
"""

from __future__ import annotations

import asyncio
import signal
import socket

from pennyworth.assemble import Runtime
from pennyworth.engine.terms import Terms
from pennyworth.plan import Listen, Plan
from pennyworth.server.http_server import HttpServer
from pennyworth.server.listening import BACKLOG
from pennyworth.server.public import PublicDoor
from pennyworth.server.snapshot import Snapshot, take

_AFTER_DEADLINE_S = 3.0
"""How long error events may take to be written before connections are cut."""

_IN_A_HURRY_S = 0.5


class Stop:
    """The wish to stop, from one place: ``asked`` once, ``hurried`` when asked again. Called by a signal or a test."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def __call__(self) -> None:
        (self.hurried if self.asked.is_set() else self.asked).set()

    def on_signals(self) -> None:
        """SIGTERM and SIGINT of this process mean stop, from now on and nowhere else."""
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self)


class Worker:
    """Serves in this loop from ``serve`` until it has drained. ``runtime`` is closed by whoever made it."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        plan = runtime.state.plan
        self.runtime = runtime
        self.name = name
        self.server = HttpServer(PublicDoor(runtime.engine, runtime.parts.keyring), plan.limits)
        self._started_s = runtime.state.clock.wall_s()

    def snapshot(self) -> Snapshot:
        in_flight = self.server.connections.busy
        return take(self.runtime, worker=self.name, started_s=self._started_s, in_flight=in_flight)

    def prepare(self, plan: Plan) -> Terms:
        """Makes all that another Plan needs, and changes nothing. Raises ``ConfigError``."""
        return self.runtime.prepare(plan)

    def adopt(self, terms: Terms) -> None:
        """Everything here that goes by a Plan goes by this one from now on, within one turn of the loop. What is under
        way keeps the terms it began with."""
        self.runtime.adopt(terms)
        self.server.adopt(terms.plan.limits)

    async def serve(self, listener: socket.socket, stop: Stop) -> None:
        """Answers until told to stop, then drains. The runtime is open still when this returns."""
        self.runtime.start()
        await self.server.start(listener)
        await stop.asked.wait()
        self.runtime.state.draining = True
        self.server.drain()
        drain_s = self.runtime.state.plan.limits.drain_s
        if not await self._gone(drain_s, stop):
            await self._end(stop, drain_s)

    async def _end(self, stop: Stop, drain_s: float) -> None:
        """The deadline has come, or somebody is in a hurry."""
        why = "" if stop.hurried.is_set() else f" (limits.drain = {drain_s:g} s)"
        await self.runtime.engine.end(f"the gateway is shutting down{why}")
        await self._gone(_IN_A_HURRY_S if stop.hurried.is_set() else _AFTER_DEADLINE_S, stop)
        self.server.abort()
        await self._gone(_IN_A_HURRY_S, stop)

    async def _gone(self, within_s: float, stop: Stop) -> bool:
        """Whether all connections are gone in time; somebody who begins to hurry ends the wait."""
        loop = asyncio.get_running_loop()
        gone = loop.create_task(self.server.gone())
        waits = {gone} if stop.hurried.is_set() else {gone, loop.create_task(stop.hurried.wait())}
        done, waiting = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        return gone in done


def bind(listen: Listen) -> socket.socket:
    """A listening socket; worker processes inherit it, so that none of them ever misses a connection.

    Raises:
        OSError: the address is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((listen.host, listen.port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener
