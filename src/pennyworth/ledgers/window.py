"""Hours and windows of time: which whole hours a window contains, what is left at its edges, what an hour is called.

Times are Unix seconds, hours are counted from 1970 and belong to UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec

HOUR_S = 3600
_FOREVER_S = 1e14


class Window(msgspec.Struct, frozen=True):
    """[since_s, until_s), cut into the whole hours [first_hour, end_hour) and the pieces before and after them."""

    since_s: float
    until_s: float
    first_hour: int
    end_hour: int

    @property
    def edges(self) -> tuple[tuple[float, float], ...]:
        if self.first_hour >= self.end_hour:
            return ((self.since_s, self.until_s),)
        before = (self.since_s, float(self.first_hour * HOUR_S))
        after = (float(self.end_hour * HOUR_S), self.until_s)
        return tuple(edge for edge in (before, after) if edge[0] < edge[1])


def window(since_s: float, until_s: float) -> Window:
    """The window between two times, either of which may be infinite."""
    since = min(max(since_s, -_FOREVER_S), _FOREVER_S)
    until = max(min(until_s, _FOREVER_S), since)
    return Window(since, until, math.ceil(since / HOUR_S), hour_of(until))


def hour_of(at_s: float) -> int:
    return int(at_s // HOUR_S)


def hour_label(hour: int) -> str:
    """``2026-11-22T10:00Z``."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC).strftime("%Y-%m-%dT%H:00Z")


def day_label(hour: int) -> str:
    """``2026-11-22``."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC).strftime("%Y-%m-%d")
