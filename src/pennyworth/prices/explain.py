"""A price in words, for people: the rows of ``pennyworth prices MODEL``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pennyworth.decide.tariff import tariff
from pennyworth.money import Price, Rate, Usage

_EXAMPLE = Usage(input=1000, output=500)


def describe(price: Price | None, provider: str, model: str) -> list[tuple[str, str]]:
    """What a target charges, as (label, text) rows; for a model without a price, what follows from that."""
    rows = [("model", f"{provider}/{model}")]
    if price is None:
        return [
            *rows,
            ("price", "unpriced: requests are forwarded and counted apart, and no saving is claimed for them"),
            ("fix", "give it a price in the overlay (docs/prices.md), or the provider's id in price_provider"),
        ]
    rows += [("source", price.source or "configuration"), *_rates(price)]
    if price.per_request:
        rows.append(("per request", _usd(price.per_request)))
    if price.multiplier != 1:
        rows.append(("multiplier", f"× {_plain(price.multiplier)} on all of the above"))
    rows.append(("example", f"1,000 tokens in, 500 out: ${tariff(price).cost(_EXAMPLE)}"))
    if price.omits:
        rows.append(("not counted", "; ".join(price.omits)))
    return rows


def _rates(price: Price) -> Iterator[tuple[str, str]]:
    for label, rate in (
        ("input", price.input),
        ("cached input", price.cached),
        ("cache writes", price.cache_write),
        ("cache writes for an hour", price.cache_write_1h),
        ("audio input", price.input_audio),
        ("output", price.output),
        ("reasoning", price.reasoning),
        ("audio output", price.output_audio),
    ):
        if rate is not None:
            yield label, _rate(rate)


def _rate(rate: Rate) -> str:
    steps = [f"{_usd(rate.usd_per_million)} per million tokens"]
    steps += [f"{_usd(tier.usd_per_million)} above {tier.above:,} tokens of input" for tier in rate.tiers]
    return ", ".join(steps)


def _usd(amount: Decimal) -> str:
    return f"${_plain(amount)}"


def _plain(amount: Decimal) -> str:
    """Without exponent, and without zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
