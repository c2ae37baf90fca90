"""Something is to happen within some time. One timer that looks when it is due, instead of one set for each request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """``expect`` sets it, ``off`` takes it back; both cost next to nothing. ``passed`` is called when it has passed."""

    __slots__ = ("_due", "_loop", "_passed", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_off(self) -> bool:
        return self._due == math.inf

    def expect(self, within_s: float) -> None:
        self._due = self._loop.time() + within_s
        if self._timer is None or self._timer.when() > self._due:
            self._set()

    def off(self) -> None:
        self._due = math.inf

    def close(self) -> None:
        """Never again."""
        self._due = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._due == math.inf:
            return
        if self._loop.time() < self._due:
            self._set()
        else:
            self._due = math.inf
            self._passed()
