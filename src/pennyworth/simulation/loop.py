"""An event loop in which nothing takes time and nothing is real: when nobody has work, the clock jumps to the next timer.

Callbacks run in the order in which asyncio promises to run them. What a real machine leaves open, when bytes arrive, is
the network's to draw. Threads, sockets, signals and name servers are refused: they could not be repeated.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any, NoReturn

from pennyworth.simulation.network import Network, Server
from pennyworth.simulation.process import PROCESS, Killed

_START_S = 1000.0
_MANY_CANCELLED = 200


class NotSimulatedError(Exception):
    """Something wanted the real world."""


class StuckError(Exception):
    """Everybody waits, and no timer will ever wake anybody."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Made for one episode and thrown away. ``steps``: callbacks run so far."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.steps = 0
        self.troubles: list[str] = []
        self._now = _START_S
        self._network = network
        self._set = 0
        self._timers: list[tuple[float, int, Any]] = []
        self._ready: Any  # asyncio's own: what may run, and how many of the timers are cancelled
        self._timer_cancelled_count: int
        network.loop = self
        self.set_exception_handler(self._take_note)

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """Timers of the same moment run in the order in which they were set."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, timer))
        return timer

    def _run_once(self) -> None:
        """In place of asyncio's, which asks the operating system what has come."""
        ready = self._ready
        if self._timer_cancelled_count > _MANY_CANCELLED:
            self._forget_cancelled()
        if not ready:
            self._jump()
        timers = self._timers
        while timers and timers[0][0] <= self._now:
            handle = heapq.heappop(timers)[2]
            handle._scheduled = False
            if handle._cancelled:
                self._timer_cancelled_count -= 1
            else:
                ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)
            if process is None or process.steps():
                self.steps += 1
                handle._run()

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)[2]._scheduled = False
            self._timer_cancelled_count -= 1
        if not timers:
            raise StuckError("every task waits for another one, and no timer is set")
        self._now = max(self._now, timers[0][0])

    def _forget_cancelled(self) -> None:
        self._timers = [timer for timer in self._timers if not timer[2]._cancelled]
        heapq.heapify(self._timers)
        self._timer_cancelled_count = 0

    def _take_note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that reached nobody. One of a killed process is no news."""
        error = context.get("exception")
        if not isinstance(error, Killed):
            self.troubles.append(f"{context.get('message')}: {error!r}")

    def create_task(self, coro: Any, *, name: object = None, context: Any = None) -> Any:
        """Noted by the process that makes it, which may have to answer for it."""
        task = super().create_task(coro, name=name, context=context)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.made(task)
        return task

    # The network in memory, by the names that asyncio gives it.

    async def create_server(self, protocol_factory: Callable[[], Any], *args: Any, **more: Any) -> Any:
        """``sock``: an ``Address`` of the simulated network."""
        return self._network.listen(more["sock"], protocol_factory)

    async def create_connection(self, protocol_factory: Callable[[], Any], *args: Any, **more: Any) -> Any:
        raise NotSimulatedError("connect by Network.connect")

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """What a thread would do is done in a turn of its own; the awaiting side cannot tell the difference."""
        future = self.create_future()

        def work() -> None:
            try:
                done = func(*args)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(done)

        self.call_soon(work)
        return future

    # What would be real.

    def call_soon_threadsafe(self, *args: Any, **more: Any) -> NoReturn:  # type: ignore[override]
        raise NotSimulatedError("another thread")

    async def getaddrinfo(self, *args: Any, **more: Any) -> NoReturn:
        raise NotSimulatedError("a name server")

    def add_signal_handler(self, *args: Any, **more: Any) -> NoReturn:  # type: ignore[override]
        raise NotSimulatedError("a signal")


__all__ = ["NotSimulatedError", "Server", "StuckError", "VirtualLoop"]
