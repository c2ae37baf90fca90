"""How much a provider still lets us ask, by the limit headers of its reply. Units differ by provider; here they are one.

Names are read by their parts, not looked up: ``x-ratelimit-remaining-tokens`` (OpenAI, Groq, Azure, Together, Cerebras),
``x-ratelimit-limit-req-10-second`` and ``x-ratelimitbysize-remaining-minute`` (Mistral),
``anthropic-ratelimit-input-tokens-reset``, ``ratelimit-remaining`` (the IETF draft). ``Retry-After`` is not read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

_LONGEST_S = 31 * 86400.0
_MOST = 10**15
_EPOCH_S, _EPOCH_MS = 10**9, 10**12
"""A number this large is no duration but a date: OpenRouter counts milliseconds since 1970, others seconds."""

_WINDOWS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": _LONGEST_S}

_DURATION = re.compile(
    r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,8}(?:\.\d*)?)s)?(?:(\d{1,10}(?:\.\d*)?)ms)?"
)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d*)?")


class Room(msgspec.Struct, frozen=True, gc=False):
    """What is left of one limit.

    Attributes:
        limit: 0 = not said. ``reset_s``: until it is whole again, or the length of its window; ``None`` = not said.
    """

    remaining: int
    limit: int = 0
    reset_s: float | None = None


class Headroom(msgspec.Struct, frozen=True, gc=False):
    """What is left of a provider's limits after a reply; of several of one kind, that with the least left."""

    requests: Room | None = None
    tokens: Room | None = None


class _Limit(NamedTuple):
    """A limit, by the name of the header that says what remains of it; the names of its others, and its window."""

    kind: Literal["requests", "tokens"]
    limit: str
    reset: str
    period: str
    window_s: float | None


def headroom(headers: Iterable[tuple[str, str]], now_s: float) -> Headroom | None:
    """``headers``: with lower-case names. ``now_s``: Unix time, for those that name the moment. ``None``: nothing said."""
    said = {name: value for name, value in headers if "ratelimit" in name}
    if not said:
        return None
    least: dict[str, Room] = {}
    for name, value in said.items():
        if "remaining" in name and (limit := _limit(name)) and (remaining := _count(value)) is not None:
            known = least.get(limit.kind)
            if known is None or remaining < known.remaining:
                least[limit.kind] = _room(remaining, limit, said, now_s)
    return Headroom(least.get("requests"), least.get("tokens")) if least else None


def _room(remaining: int, limit: _Limit, said: dict[str, str], now_s: float) -> Room:
    reset_s = _reset_s(said.get(limit.reset, ""), now_s, limit.period in said)
    return Room(remaining, _count(said.get(limit.limit, "")) or 0, limit.window_s if reset_s is None else reset_s)


@lru_cache(256)
def _limit(name: str) -> _Limit | None:
    """``None``: not a limit of requests or tokens."""
    rest = name.partition("ratelimit")[2]
    words = [word for word in rest.split("-") if word not in ("", "bysize", "remaining")]
    kind: Literal["requests", "tokens"] = "requests"
    if rest.startswith("bysize") or any(word.startswith("tokens") for word in words):
        kind = "tokens"
    elif words and not any(word.startswith("req") for word in words):
        return None
    limit, reset, period = (name.replace("remaining", part) for part in ("limit", "reset", "renewalperiod"))
    return _Limit(kind, limit, reset, period, _window_s(words))


def _count(text: str) -> int | None:
    return min(int(float(text)), _MOST) if _NUMBER.fullmatch(text) else 0 if text.startswith("-") else None


def _reset_s(text: str, now_s: float, in_ms: bool) -> float | None:
    """Seconds from now. ``in_ms``: Azure's plain numbers are milliseconds (120 requests a minute, one gone: 500)."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _EPOCH_MS:
            number = number / 1000 - now_s
        elif number >= _EPOCH_S:
            number -= now_s
        elif in_ms:
            number /= 1000
        return _within_reason(number)
    if text[:1].isdigit() and (found := _DURATION.fullmatch(text)):
        days, hours, minutes, seconds, ms = (float(part or 0) for part in found.groups())
        return _within_reason(days * 86400 + hours * 3600 + minutes * 60 + seconds + ms / 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _within_reason((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_s)


def _within_reason(seconds: float) -> float:
    return round(min(max(seconds, 0.0), _LONGEST_S), 3)


def _window_s(words: list[str]) -> float | None:
    """The window that the name itself speaks of, where no reset is said: ``req-10-second`` is ten seconds."""
    window = _WINDOWS_S.get(words[-1]) if words else None
    if window is None or len(words) < 2 or not re.fullmatch(r"[0-9]{1,4}", words[-2]):
        return window
    return window * int(words[-2])
