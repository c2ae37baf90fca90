"""Shall the same target be asked once more, and after what pause? ``Retry-After`` is obeyed, within reason and deadline.

RFC 9110 §10.2.3: seconds or a date. OpenAI and Azure say milliseconds too (``retry-after-ms``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from pennyworth.plan import Persistence

_JITTER = 0.25
"""Pauses are shortened by up to this share, so that callers who failed together do not come back together."""


def pause_s(persistence: Persistence, tries: int, asked_s: float | None, left_s: float, chance: float) -> float | None:
    """How long to wait before the next call; ``None`` if there is to be none.

    Args:
        tries: calls made so far. ``asked_s``: what the provider asked for. ``left_s``: until the caller's deadline.
        chance: in [0, 1).
    """
    if tries >= persistence.tries:
        return None
    pause = persistence.pause_s * 2 ** (tries - 1) * (1 - _JITTER * chance)
    if asked_s is not None:
        if asked_s > persistence.longest_pause_s:
            return None
        pause = max(asked_s * (1 + _JITTER * chance), pause if asked_s == 0 else 0.0)
    return pause if pause < left_s else None


def asked_pause_s(headers: Iterable[tuple[str, str]], wall_s: float) -> float | None:
    """The pause the provider asks for, in seconds from now; ``None`` if it asks for none, or for nonsense."""
    found = {name: value for name, value in headers if name in ("retry-after", "retry-after-ms")}
    if not found:
        return None
    precise = _number(found.get("retry-after-ms", ""))
    if precise is not None:
        return precise / 1000
    said = found.get("retry-after", "")
    seconds = _number(said)
    return seconds if seconds is not None else _until(said, wall_s)


def _number(text: str) -> float | None:
    try:
        value = float(text) if len(text) <= 32 else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(date: str, wall_s: float) -> float | None:
    """A date that has passed means now."""
    try:
        return max(0.0, parsedate_to_datetime(date[:64]).timestamp() - wall_s)
    except (ValueError, TypeError, OverflowError):
        return None
