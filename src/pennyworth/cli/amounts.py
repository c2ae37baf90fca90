"""How amounts are written for people: money, shares, durations, moments."""

from __future__ import annotations

from datetime import UTC, datetime

from pennyworth.money import Money

_MILLIONTH = 10**6
"""Picodollars in a millionth of a dollar, the last place that tables show."""


def usd(amount: Money) -> str:
    """With six decimals, so that columns can be compared; an amount too small for them in full."""
    if amount and abs(amount.pico) < _MILLIONTH:
        return exact_usd(amount)
    sign = "-" if amount.pico < 0 else ""
    dollars, rest = divmod(round(abs(amount.pico) / _MILLIONTH), 10**6)
    return f"{sign}${dollars:,}.{rest:06d}"


def exact_usd(amount: Money) -> str:
    """To the picodollar."""
    text = str(amount)
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def milliseconds(ms: float) -> str:
    """With a precision that suits the size."""
    if ms < 10:
        return f"{ms:.2f} ms"
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"


def lasting(seconds: float) -> str:
    """In the two largest units: ``6d 4h``, ``12m 30s``, ``42s``."""
    left = int(seconds)
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= length:
            parts.append(f"{left // length}{unit}")
            left %= length
    return " ".join(parts[:2]) or "less than a second"


def moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
