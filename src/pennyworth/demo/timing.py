"""Percentiles of waiting times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How long so many took, in milliseconds; zeros where there is none."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def spread(times_ms: Sequence[float]) -> Spread:
    """By nearest rank: each percentile is a time that really occurred."""
    if not times_ms:
        return Spread()
    ordered = sorted(times_ms)
    p50, p99 = (ordered[max(math.ceil(part * len(ordered)) - 1, 0)] for part in (0.50, 0.99))
    return Spread(count=len(ordered), p50_ms=round(p50, 3), p99_ms=round(p99, 3))
