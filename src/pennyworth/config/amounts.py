"""The kinds that are amounts: durations, sizes, switches in per cent, dollars, budgets. A number, or a number with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from pennyworth.config.kinds import Kind
from pennyworth.config.problems import UnusableError, shown
from pennyworth.plan import Switch

Number = int | float | Decimal

_SECONDS: Mapping[str, Decimal] = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(604800),
}
_BYTES: Mapping[str, Decimal] = {"b": Decimal(1)} | {
    prefix + ending: Decimal(base**power)
    for power, prefix in enumerate("kmgt", start=1)
    for ending, base in (("b", 1000), ("ib", 1024))
}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z]{0,3})")
_BUDGET = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,12})?)\s*([A-Za-z]{3})")
_MOST_MONEY = 10**12
_LONGEST_S = 10 * 365 * 86400
_MOST_BYTES = 2**53


def _number(value: object) -> Number | None:
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # NaN is not itself
        return value
    return None


def _amount(value: object, units: Mapping[str, Decimal], bare: str) -> Number | None:
    """The number behind ``5`` or ``"5m"``, ``None`` where it is neither. ``bare``: the unit of a number without one."""
    if isinstance(value, str) and (parts := _AMOUNT.fullmatch(value.strip())):
        unit = units.get(parts[2].lower() or bare)
        return None if unit is None else Decimal(parts[1]) * unit
    return _number(value)


def _duration(value: object) -> float:
    seconds = _amount(value, _SECONDS, "s")
    if seconds is None:
        fix = 'Use a number of seconds or a string such as "90s", "5m", "24h" or "7d".'
        raise UnusableError(f"{shown(value)} is not a duration", fix)
    if not 0 <= seconds <= _LONGEST_S:
        raise UnusableError(f"{shown(value)} is out of range", "Use a duration between 0 and ten years.")
    return float(seconds)


def _positive_duration(value: object) -> float:
    seconds = _duration(value)
    if seconds < 0.001:
        raise UnusableError(f"{shown(value)} leaves no time at all", 'Use at least a millisecond, such as "5s".')
    return seconds


def show_duration(seconds: float) -> str:
    """In the largest unit that leaves a whole number: ``90s``, ``5m``, ``7d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


def _size(value: object) -> int:
    size = _amount(value, _BYTES, "b")
    if size is None:
        fix = 'Use a number of bytes or a string such as "512MB" or "64MiB".'
        raise UnusableError(f"{shown(value)} is not a size", fix)
    if not 1 <= size <= _MOST_BYTES:
        raise UnusableError(f"{shown(value)} is out of range", "Use a size between 1 byte and 8192 TiB.")
    return int(size)


def show_size(size: int) -> str:
    """In the unit that leaves the smallest whole number: ``64MiB``, ``32MB``."""
    units = {"TiB": 2**40, "TB": 10**12, "GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "KiB": 2**10, "kB": 1000}
    whole = [(size // unit, name) for name, unit in units.items() if size >= unit and size % unit == 0]
    return "{}{}".format(*min(whole)) if whole else f"{size} bytes"


def _switch(value: object) -> Switch:
    if isinstance(value, str) and value in ("on", "off"):
        return Switch(100.0 if value == "on" else 0.0)
    percent = _number(value)
    if percent is not None and 0 <= percent <= 100:
        return Switch(float(percent))
    raise UnusableError(f"{shown(value)} is not a switch", 'Use "off", "on" or a number from 0 to 100 (per cent).')


def show_switch(switch: Switch) -> str:
    return {0.0: "off", 100.0: "on"}.get(switch.percent, f"{switch.percent:g} %")


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = Decimal(value)
        except ArithmeticError:
            return None
    number = _number(value)
    return None if number is None or isinstance(number, float) else Decimal(number)


def _dollars(value: object) -> Decimal:
    amount = _decimal(value)
    if amount is None or not 0 <= amount <= 10**6:
        raise UnusableError(f"{shown(value)} is not an amount of dollars", 'Use a decimal in quotes, such as "0.15".')
    return abs(round(amount, 12)).normalize()  # one spelling of each amount, so that the digest is one too


def _factor(value: object) -> Decimal:
    factor = _decimal(value)
    if factor is None or not 0 <= factor <= 1000:
        raise UnusableError(
            f"{shown(value)} is not a factor", 'Use a decimal in quotes from 0 to 1000, such as "1.05".'
        )
    return abs(round(factor, 12)).normalize()


def _share(value: object) -> float:
    share = _number(value)
    if share is None or not 0 <= share <= 1:
        raise UnusableError(f"{shown(value)} is not a share", "Use a number from 0 to 1, such as 0.1.")
    return float(share)


def _budget(value: object) -> tuple[str, str]:
    """The amount as a decimal's text, and its currency."""
    parts = _BUDGET.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None or not Decimal(parts[1]) <= _MOST_MONEY:
        fix = 'Use an amount up to 10^12 and its currency in quotes, such as "20 USD" or "150 CNY".'
        raise UnusableError(f"{shown(value)} is not an amount of money", fix)
    return f"{Decimal(parts[1]).normalize():f}", parts[2].upper()


def _shares(value: object) -> tuple[float, ...]:
    found = [_number(item) for item in value] if isinstance(value, list) else [None]
    if not all(share is not None and 0 < share <= 1 for share in found):
        raise UnusableError(f"{shown(value)} is not a list of shares", "Use numbers above 0 up to 1, as in [0.8, 1.0].")
    return tuple(sorted({float(share) for share in found if share is not None}))


def show_shares(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{share:g}" for share in shares) if shares else "none"


DURATION = Kind("duration", _duration, show=show_duration)
POSITIVE_DURATION = Kind("duration above 0", _positive_duration, show=show_duration)
SIZE = Kind("size", _size, show=show_size)
SWITCH = Kind("switch", _switch, show=show_switch)
DOLLARS = Kind("dollars", _dollars, show=lambda value: f"{value:f}")
SHARE = Kind("number from 0 to 1", _share, show=lambda value: f"{value:g}")
FACTOR = Kind("factor", _factor, show=lambda value: f"{value:f}")
BUDGET = Kind("amount of money", _budget, show=" ".join)
SHARES = Kind("list of shares", _shares, show=show_shares)
