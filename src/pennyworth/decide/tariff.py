"""What a call costs. A price, turned once into whole numbers, charges a usage exactly: no float, no decimal context."""

from __future__ import annotations

from decimal import Context, Decimal
from math import gcd, lcm
from typing import NamedTuple

import msgspec

from pennyworth.money import PICO, Money, Price, Usage

_PER_TOKEN = 10**6
"""Dollars per million tokens to picodollars per token."""

_FOR_AN_HOUR = 2
"""Anthropic: a cache write costs 1.25 times the input, one for an hour twice (platform.claude.com, "Pricing")."""


class Row(NamedTuple):
    """What one token of each kind costs, in the tariff's unit."""

    input: int
    cached: int
    cache_write: int
    input_audio: int
    output: int
    reasoning: int
    output_audio: int
    cache_write_1h: int


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """A price ready to charge with. Keep it: making one costs ten to twenty times what charging with it does.

    Attributes:
        unit: how many of the tariff's units make a picodollar; 1 for nearly every published price.
        base: what applies up to the first tier. ``tiers``: what applies above each threshold, rising.
        per_request: a call, whatever its length.
    """

    unit: int
    base: Row
    tiers: tuple[tuple[int, Row], ...]
    per_request: int

    def cost(self, usage: Usage) -> Money:
        """What this usage costs, rounded half-even once, to the picodollar. Never negative.

        Each token is charged once: cached, cache-write and audio tokens are parts of the input, reasoning and audio of
        the output, writes for an hour of the writes; parts that add up to more than the whole are cut to it, in that
        order.
        """
        asked, made = usage.input, usage.output
        row = self.base
        for above, other in self.tiers:
            if asked > above:
                row = other
        if usage.cached or usage.cache_write or usage.input_audio or asked < 0:
            total = self.per_request + _input(row, usage)
        else:
            total = self.per_request + asked * row.input
        if usage.reasoning or usage.output_audio or made < 0:
            total += _output(row, usage)
        else:
            total += made * row.output
        return Money(total if self.unit == 1 else _half_even(total, self.unit))

    def most(self, into: int, out: int, *, for_an_hour: bool = False) -> Money:
        """What the dearest text of at most so many tokens in and out costs: all of it cached, written to the cache or
        neither, all of the output thought or not, and in whichever tier is dearest. ``for_an_hour``: the writes may be
        of the dearer kind."""
        bounds = [above for above, _ in self.tiers]
        rows = [self.base, *(row for _, row in self.tiers)]
        reached = [row for row, above in zip(rows, [-1, *bounds], strict=True) if into > above]
        counts = [*bounds[: len(reached) - 1], into]
        total = self.per_request + max(
            count * max(row.input, row.cached, row.cache_write, row.cache_write_1h if for_an_hour else 0)
            + out * max(row.output, row.reasoning)
            for row, count in zip(reached, counts, strict=True)
        )
        return Money(-(-total // self.unit))


def waiting(price: Price) -> Price:
    """What the same target charges for a request that can wait: half, unless the price says otherwise."""
    times = Context(prec=100).multiply(price.multiplier, price.batch)
    return msgspec.structs.replace(price, multiplier=times, source=f"batch, {price.batch} × {price.source}")


def tariff(price: Price) -> Tariff:
    """The price as whole numbers; a kind without a rate of its own is charged as input or output."""
    into, out = price.input, price.output
    kinds = (
        into,
        price.cached or into,
        price.cache_write or into,
        price.input_audio or into,
        out,
        price.reasoning or out,
        price.output_audio or out,
        price.cache_write_1h or into,
    )
    scales = [_PER_TOKEN] * len(kinds)
    if price.cache_write_1h is None:
        scales[-1] *= _FOR_AN_HOUR
    bounds = sorted({tier.above for rate in kinds for tier in rate.tiers})
    times = price.multiplier.as_integer_ratio()
    fee = _ratio(price.per_request, PICO, times)
    rows = [
        [_ratio(rate.at(above + 1), scale, times) for rate, scale in zip(kinds, scales, strict=True)]
        for above in [-1, *bounds]
    ]
    unit = lcm(fee[1], *(bottom for row in rows for _, bottom in row))
    whole = [Row(*(top * (unit // bottom) for top, bottom in row)) for row in rows]
    return Tariff(
        unit=unit,
        base=whole[0],
        tiers=tuple(zip(bounds, whole[1:], strict=True)),
        per_request=fee[0] * (unit // fee[1]),
    )


def _ratio(usd: Decimal, scale: int, times: tuple[int, int]) -> tuple[int, int]:
    """``usd × scale × times`` as a fraction in lowest terms."""
    top, bottom = usd.as_integer_ratio()
    top, bottom = top * scale * times[0], bottom * times[1]
    shared = gcd(top, bottom)
    return top // shared, bottom // shared


def _input(row: Row, usage: Usage) -> int:
    rest = usage.input if usage.input > 0 else 0
    cached = _part(usage.cached, rest)
    rest -= cached
    written = _part(usage.cache_write, rest)
    rest -= written
    heard = _part(usage.input_audio, rest)
    total = (rest - heard) * row.input + cached * row.cached + written * row.cache_write + heard * row.input_audio
    if usage.cache_write_1h > 0:
        total += _part(usage.cache_write_1h, written) * (row.cache_write_1h - row.cache_write)
    return total


def _output(row: Row, usage: Usage) -> int:
    rest = usage.output if usage.output > 0 else 0
    thought = _part(usage.reasoning, rest)
    rest -= thought
    spoken = _part(usage.output_audio, rest)
    return (rest - spoken) * row.output + thought * row.reasoning + spoken * row.output_audio


def _part(tokens: int, whole: int) -> int:
    if tokens <= 0:
        return 0
    return tokens if tokens < whole else whole


def _half_even(total: int, unit: int) -> int:
    whole, rest = divmod(total, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))
