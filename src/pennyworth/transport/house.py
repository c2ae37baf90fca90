"""An engine with its loop in a thread of its own, and how callers in other threads deal with it.

Everything here may be called from any thread but the engine's own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from pennyworth.assemble import Report, Runtime, open_runtime
from pennyworth.errors import ConfigError, PennyworthError, StoreError
from pennyworth.plan import Plan
from pennyworth.server.admin_books import BookReader
from pennyworth.server.public import PublicDoor
from pennyworth.transport.turns import TurnLoop

T = TypeVar("T")

_CLOSED = "This Pennyworth was closed meanwhile. Make another, or close it later."


class House:
    """Open from its making until ``close``.

    Raises:
        ConfigError: the state directory cannot be used, a price overlay is wrong.

    Attributes:
        door: the gateway's public door, to be used in a turn (``loop.take``).
        ended: everything is closed; to be looked at in a turn, before anything is begun in it.
    """

    def __init__(self, plan: Plan, report: Report, worker: str) -> None:
        self.loop = TurnLoop()
        self.worker = worker
        self.runtime: Runtime
        self.door: PublicDoor
        self.books: BookReader
        self.started_s = 0.0
        self.ended = False
        self._open = threading.Event()
        self._failed: BaseException | None = None
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, args=(plan, report), name="pennyworth", daemon=True)
        self._thread.start()
        self._open.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns, awaited on the engine's loop, after everything that was asked of it before. Raises
        ``PennyworthError``: it is closed meanwhile."""
        try:
            return self.loop.aside(lambda: self.loop.take(self._begin, work).result())
        except CancelledError:
            raise PennyworthError(_CLOSED) from None

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self.ended:
            work.close()
            raise PennyworthError(_CLOSED)
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def later(self, work: Callable[..., object], *args: Any) -> None:
        """Done in a turn soon, without waiting for one: what finalizers may use. Nothing where the loop has ended."""
        try:
            self.loop.call_soon_threadsafe(work, *args)
        except RuntimeError:
            return

    def close(self) -> None:
        """Ends what is under way, writes what is to be written, and returns when all is closed. May be called twice."""
        self.later(lambda: self._stop.set())
        self._thread.join()

    def _run(self, plan: Plan, report: Report) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve(plan, report))

    async def _serve(self, plan: Plan, report: Report) -> None:
        try:
            self._furnish(plan, report)
        except BaseException as error:  # the edge of a thread: told to who waits for it
            self._failed = error
            return
        finally:
            self._open.set()
        await self._stop.wait()
        try:
            await self.runtime.close()
        finally:
            self.ended = True

    def _furnish(self, plan: Plan, report: Report) -> None:
        self._stop = asyncio.Event()
        try:
            self.runtime = runtime = open_runtime(plan, report, worker=self.worker)
        except StoreError as error:
            fix = "Make the directory writable for this user, or name another"
            raise ConfigError("state_dir", str(error), fix) from error
        self.door = PublicDoor(runtime.engine, runtime.parts.keyring)
        self.books = BookReader(runtime.parts.ledger, runtime.parts.folder)
        self.started_s = runtime.state.clock.wall_s()
        runtime.start()
