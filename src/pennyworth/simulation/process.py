"""A simulated process: what it has started dies with it, between any two steps, and nothing of it runs ever again.

Which callback belongs to which process is told by the context that asyncio hands from each callback to those it makes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

_MANY = 2000


class Killed(BaseException):  # not an error: the end of the world, seen from inside
    """Unwinds the step in which its own process was killed."""


class Mortal(Protocol):
    """What the kernel closes when a process dies."""

    def cut(self) -> None: ...


class Process:
    """Attributes:
    steps_left, writes_left: it is killed before so many more of its steps, or of its writes to the journal, are done;
        negative = it lives.
    """

    def __init__(self, name: str, steps_left: int = -1, writes_left: int = -1) -> None:
        self.name = name
        self.dead = False
        self.steps_left = steps_left
        self.writes_left = writes_left
        self.open: dict[Mortal, None] = {}
        self.tasks: list[asyncio.Task[Any]] = []
        self.on_death: Callable[[], object] = lambda: None
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process; so are those that it makes."""
        return asyncio.get_running_loop().create_task(work, context=self.context)

    def made(self, task: asyncio.Task[Any]) -> None:
        self.tasks.append(task)
        if len(self.tasks) > _MANY and not self.dead:
            self.tasks = self.unfinished()

    def steps(self) -> bool:
        """Whether it is alive for one more step."""
        if self.dead:
            return False
        if self.steps_left >= 0:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.kill()
                return False
        return True

    def kill(self) -> None:
        if not self.dead:
            self.dead = True
            for mortal in list(self.open):
                mortal.cut()
            self.open.clear()
            self.on_death()

    def unfinished(self) -> list[asyncio.Task[Any]]:
        return [task for task in self.tasks if not task.done()]

    def bury(self) -> None:
        """Drops what was cut off in the middle. What it still tries to do reaches nobody, and nobody need hear of it."""
        self.kill()
        for task in self.unfinished():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException), warnings.catch_warnings(action="ignore"):
                task.get_coro().close()


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
"""Whose step is running; ``None`` for the simulation itself and its clients and providers."""
