"""The workers as the admin port sees them: one in this process, or many beside it. And one worker, running."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import uvicorn

from pennyworth.assemble import Runtime
from pennyworth.server.snapshot import Overview, Snapshot, merge, take
from pennyworth.server.worker import WorkerServer

CONFIRM_S = 1.0
_LOOK_AGAIN_S = 0.04


class Workers(Protocol):
    """Who serves. Neither call takes longer than about a second, whatever a worker does.

    ``overview``: everything they counted. ``in_force``: the version of the control row each of them goes by, ``None``
    for one that does not answer.
    """

    async def overview(self) -> Overview: ...

    async def in_force(self) -> Sequence[int | None]: ...


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


def new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop a server runs in: uvloop's, where there is one."""
    return uvicorn.Config(_no_app, loop="auto", log_config=None).get_loop_factory()


async def _no_app(*_: object) -> None:
    """Only its place in a ``uvicorn.Config`` is used."""


class Unsignalled(uvicorn.Server):
    """A uvicorn that leaves the process's signals alone: of several servers in a loop only one could have them, and
    uvicorn raises them again when it is done, which would end the process before its books are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Server(Unsignalled, WorkerServer):
    pass


class Worker:
    """One worker in this loop: an engine behind the public door, from ``serve`` until it has drained."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self.runtime = runtime
        self.name = name
        self._server = _Server(runtime)
        self._started_s = runtime.state.clock.wall_s()

    def snapshot(self) -> Snapshot:
        in_flight = len(self._server.server_state.tasks)
        return take(self.runtime, worker=self.name, started_s=self._started_s, in_flight=in_flight)

    async def serve(self, listener: socket.socket, stop: Stop) -> None:
        """Answers until told to stop, then drains. The runtime is open still when this returns."""
        self.runtime.start()
        serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listener]))
        asked = asyncio.get_running_loop().create_task(stop.asked.wait())
        hurried = asyncio.get_running_loop().create_task(stop.hurried.wait())
        await asyncio.wait((serving, asked), return_when=asyncio.FIRST_COMPLETED)
        self._server.handle_exit(signal.SIGTERM, None)
        await asyncio.wait((serving, hurried), return_when=asyncio.FIRST_COMPLETED)
        self._server.force_exit = True
        asked.cancel()
        hurried.cancel()
        await serving


class Alone:
    """``Workers`` where there is one, in this very process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._since_s = worker.runtime.state.clock.wall_s()

    async def overview(self) -> Overview:
        return merge([self._worker.snapshot()], since_s=self._since_s)

    async def in_force(self) -> Sequence[int | None]:
        return [self._worker.runtime.state.control.version]


async def confirm(workers: Workers, version: int, within_s: float = CONFIRM_S) -> tuple[int, int]:
    """How many of how many workers go by the control row of this version or a later one, asked until all do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        seen = await workers.in_force()
        confirmed = sum(each is not None and each >= version for each in seen)
        if confirmed == len(seen) or loop.time() >= deadline:
            return confirmed, len(seen)
        await asyncio.sleep(_LOOK_AGAIN_S)
