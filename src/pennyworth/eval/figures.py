"""What an eval prints: one figure a measure, and whether it falls short of what is required."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

_MOST_WHY = 80


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one eval over some data, as ``--json`` prints it, one a line.

    Attributes:
        value: a share of ``n`` from 0 to 1, or a count.
        detail: what is behind it. ``required``: the value that must be reached, where there is one. ``short``: by which
            rows it falls short, with the reason.
    """

    eval: str
    data: str
    measure: str
    value: float
    n: int
    detail: Mapping[str, Any]

    @property
    def short(self) -> bool:
        required = self.detail.get("required")
        return required is not None and self.value != required


class Tally:
    """Counts one measure, row by row."""

    def __init__(self) -> None:
        self.n = 0
        self.right = 0
        self.failed: dict[str, str] = {}
        self.notes: Counter[str] = Counter()

    def add(self, row: str, *, right: bool, why: str = "") -> None:
        self.n += 1
        self.right += right
        if right:
            self.notes.update([why] if why else ())
        else:
            self.failed.setdefault(row, why[:_MOST_WHY])

    @property
    def share(self) -> float:
        return round(self.right / self.n, 4) if self.n else 1.0
