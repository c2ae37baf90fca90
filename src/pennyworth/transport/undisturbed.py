"""Work of the main thread that no signal may interrupt: it is done by a thread of its own, and waited for.

Python runs signal handlers in the main thread, between any two instructions of it. One that raises (Ctrl-C, the time limit
of a job queue) would leave the engine's work half done, and one that asks or closes would find it in the middle of
something. Other threads are never interrupted, so only the main one pays for this: 20 µs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LOOK_S = 0.5


class _Job:
    """One call. ``done`` is released when it has returned or raised."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # the edge of a thread: told to who waits for it
            self.error = error
        self.done.release()


class Undisturbed:
    """``do`` is for any thread, and may be called by a signal handler while another ``do`` waits."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # its put is the one that may interrupt itself
        self._thread = threading.Thread(target=self._run, name="pennyworth-main", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], T]) -> T:
        """What it returns. Whatever a signal handler raises ends the waiting, and not the work."""
        job = _Job(work)
        self._jobs.put(job)
        while not job.done.acquire(timeout=_LOOK_S):
            if not self._thread.is_alive() and not job.done.acquire(blocking=False):
                return work()  # it ended before it saw this one
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def close(self) -> None:
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job  # what came of it is its caller's
