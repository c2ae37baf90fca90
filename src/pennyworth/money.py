"""Money as whole picodollars (10⁻¹² USD), token usage, and the price of a token. Never a float.

Published token prices are whole picodollars a token ($0.15 per million = 150,000), so a sum of receipts is exact.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Literal

import msgspec

PICO = 10**12
"""Picodollars in a dollar."""

Basis = Literal["metered", "estimated", "unpriced", "none"]
"""How an amount is known: from the provider's usage, from counting, not at all (no price), or there was nothing to pay."""


class Money(msgspec.Struct, frozen=True, gc=False, order=True):
    """An amount in whole picodollars. May be negative (a layer may cost more than it saves)."""

    pico: int = 0

    @classmethod
    def usd(cls, amount: Decimal | str | int) -> Money:
        """The amount in dollars, rounded half-even to a picodollar."""
        return cls(int((Decimal(amount) * PICO).to_integral_value(ROUND_HALF_EVEN)))

    def __add__(self, other: Money) -> Money:
        return Money(self.pico + other.pico)

    def __sub__(self, other: Money) -> Money:
        return Money(self.pico - other.pico)

    def __neg__(self) -> Money:
        return Money(-self.pico)

    def __bool__(self) -> bool:
        return self.pico != 0

    def to_usd(self) -> Decimal:
        return Decimal(self.pico) / PICO

    def __str__(self) -> str:
        """Dollars with up to twelve decimals and no exponent: 172,500,000 picodollars print as ``0.0001725``."""
        return _in_dollars(self.pico)


@lru_cache(4096)
def _in_dollars(pico: int) -> str:
    whole, part = divmod(abs(pico), PICO)
    sign = "-" if pico < 0 else ""
    return f"{sign}{whole}.{part:012d}".rstrip("0") if part else f"{sign}{whole}"


ZERO = Money(0)


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Tokens of one call as the provider counts them.

    ``cached`` and ``cache_write`` are parts of ``input``; ``reasoning`` is a part of ``output``
    (OpenAI ``prompt_tokens_details``, ``completion_tokens_details``). Audio likewise. ``cache_write_1h`` is the part of
    ``cache_write`` that the provider keeps for an hour instead of minutes (Anthropic ``cache_creation``).
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    cache_write_1h: int = 0

    def __bool__(self) -> bool:
        return bool(self.input or self.output)


class Tier(msgspec.Struct, frozen=True):
    """From ``above`` input tokens on, the whole request is charged at this rate (per million tokens, USD)."""

    above: int
    usd_per_million: Decimal


class Rate(msgspec.Struct, frozen=True):
    """Dollars per million tokens of one kind; long requests may fall in a higher tier (tiers sorted by ``above``)."""

    usd_per_million: Decimal
    tiers: tuple[Tier, ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        rate = self.usd_per_million
        for tier in self.tiers:
            if input_tokens > tier.above:
                rate = tier.usd_per_million
        return rate


HALF = Decimal("0.5")
"""What OpenAI, Anthropic and DashScope charge for a batch, of their usual prices."""


class Price(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a target charges on a date. A kind without a rate of its own is charged as input or output; cache writes kept
    for an hour as twice the input, which is what Anthropic charges for all its models.

    Attributes:
        source: where it comes from, shown to people: ``genai-prices 2026-11-01``, ``overlay prices.toml``, ``gpu-hours``.
        per_request: dollars a call, whatever its length.
        multiplier: a reseller's factor on everything. ``batch``: a further one, for what goes through a batch API.
        omits: what the provider charges besides and this price cannot count, in words: ``web searches``.
    """

    input: Rate
    output: Rate
    cached: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    input_audio: Rate | None = None
    output_audio: Rate | None = None
    cache_write_1h: Rate | None = None
    per_request: Decimal = Decimal(0)
    multiplier: Decimal = Decimal(1)
    batch: Decimal = HALF
    source: str = ""
    omits: tuple[str, ...] = ()
