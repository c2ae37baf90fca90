"""The machine's clocks. A test or a simulation gives the engine another object of this shape."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time that never runs backwards (an NTP step back holds it still), and the monotonic clock."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest = 0.0

    def wall_s(self) -> float:
        now = time.time()
        if now > self._latest:
            self._latest = now
        return self._latest

    mono_ns = staticmethod(time.monotonic_ns)
