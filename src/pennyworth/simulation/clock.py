"""Simulated time for the engine: the loop's, under a wall clock that an operator, or NTP, may set at any moment."""

from __future__ import annotations

import asyncio

_MIDNIGHT_S = 1_795_348_800.0


class SimulatedClock:
    """A ``Clock``. Like the machine's, its wall time never runs backwards: set back, it stands still for a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ahead_s = 0.0
        self._latest = 0.0

    def wall_s(self) -> float:
        self._latest = max(self._latest, _MIDNIGHT_S + self._loop.time() + self._ahead_s)
        return self._latest

    def mono_ns(self) -> int:
        return int(self._loop.time() * 1e9)

    def set_by(self, seconds: float) -> None:
        self._ahead_s += seconds
