"""An event loop whose turns other threads can take: what runs in one runs as if the loop had called it.

The engine is written for one thread, and here it keeps that promise by turns. The loop holds the turn while it runs
callbacks and lets go of it while it waits for its sockets; whoever takes it meanwhile is alone with the engine, and need
not wake the loop to be given a kept answer. It has to be asyncio's own loop: uvloop waits where nobody can let go.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from functools import partial
from typing import TypeVar, TypeVarTuple

from pennyworth.transport.undisturbed import Undisturbed

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TurnLoop(asyncio.SelectorEventLoop):
    """``take`` is for any thread, as long as the loop runs.

    In a turn all of the loop may be used but its sockets: those are opened and closed by the loop itself.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._next = threading.Lock()
        """Held by who is to have the turn next, the loop or one caller: so neither can pass the other twice."""
        self._queue = threading.Lock()
        self._holder = 0
        self._thread = 0
        self._context = Context()
        self._undisturbed = Undisturbed()
        super().__init__(_Yielding(self))
        self.set_debug(False)  # asyncio's check for foreign threads knows nothing of turns

    def take(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """What ``work`` returns, run here and now in a turn of this loop. It must be short and wait for nothing.

        It runs in a context of the loop's own, since what it begins may outlive its caller. For the main thread it is done
        by another, whom no signal interrupts.
        """
        return self.aside(partial(self._take, work, *args))

    def aside(self, work: Callable[[], T]) -> T:
        """What it returns; for the main thread, done where no signal interrupts it."""
        if threading.current_thread() is threading.main_thread():
            return self._undisturbed.do(work)
        return work()

    def _take(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        if self._holder == threading.get_ident():
            raise RuntimeError("Pennyworth was called from within its own work, as by a log handler or a finalizer")
        with self._queue:
            self.enter()
            before = _get_running_loop()
            _set_running_loop(self)
            try:
                return self._context.run(work, *args)
            finally:
                _set_running_loop(before)
                self.leave()

    def enter(self) -> None:
        with self._next:
            self._turn.acquire()
        self._holder = threading.get_ident()

    def leave(self) -> None:
        self._holder = 0
        self._turn.release()

    def close(self) -> None:
        super().close()
        self._undisturbed.close()

    def run_forever(self) -> None:
        self._thread = threading.get_ident()
        self.enter()
        try:
            super().run_forever()
        finally:
            self.leave()

    # Who schedules something in a taken turn must wake the loop, which sleeps meanwhile.

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if threading.get_ident() != self._thread:
            return self.call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        if threading.get_ident() != self._thread:
            self.call_soon_threadsafe(_woken)
        return timer

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """At the very end of the interpreter there are no new threads, and nobody minds waiting."""
        try:
            return super().run_in_executor(executor, func, *args)
        except RuntimeError:
            done: asyncio.Future[T] = self.create_future()
            done.set_result(func(*args))
            return done


class _Yielding(selectors.DefaultSelector):
    """Lets others have the turn while it waits."""

    def __init__(self, loop: TurnLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.leave()
        try:
            return super().select(timeout)
        finally:
            self._loop.enter()


def _woken() -> None:
    """Nothing: that the loop looks at its timers again is all."""
