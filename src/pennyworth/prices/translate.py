"""From the price of the genai-prices library to ours: which of its many units we can count, and which we must admit to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Final

from genai_prices.types import ModelPrice, PriceVariant, TieredPrices

from pennyworth.money import Price, Rate, Tier

_RATES: Final = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
    "cache_write_1h_mtok": "cache_write_1h",
}
_PER_THOUSAND_REQUESTS: Final = "requests_kcount"

# Providers count these among the output tokens without saying how many they are, at up to twenty times the price of text.
_HIDDEN_IN_OUTPUT: Final = frozenset({"output_image_mtok", "output_video_mtok"})

_WORDS: Final = {
    "audio_hours": "audio by the hour",
    "cache_audio_read_mtok": "cached audio at its own rate",
    "cache_image_read_mtok": "cached images at their own rate",
    "input_audio_hours": "audio by the hour",
    "input_image_mtok": "images at their own rate",
    "input_video_mtok": "video at its own rate",
    "output_citation_mtok": "citation tokens at their own rate",
    "storage_searches_kcount": "file searches",
    "web_searches_kcount": "web searches",
}


def translate(found: ModelPrice, variants: Sequence[PriceVariant], source: str) -> Price | None:
    """Our price, or ``None`` where charging by it would be wrong: nothing is charged by the input token (speech by the
    hour, pages, nothing known at all), or dear output tokens cannot be told from cheap ones.
    """
    values = {name: value for name, value in vars(found).items() if value is not None}
    rates = {ours: _rate(values.pop(theirs)) for theirs, ours in _RATES.items() if theirs in values}
    per_request = values.pop(_PER_THOUSAND_REQUESTS, Decimal(0))
    if "input" not in rates or _HIDDEN_IN_OUTPUT & values.keys() or not isinstance(per_request, Decimal):
        return None
    if "output" not in rates:
        if any(name.startswith("output_") for name in values):
            return None
        rates["output"] = Rate(Decimal(0))  # embeddings and rerankers: the output is no text, and free
    omits = {_WORDS.get(name, name): None for name in sorted(values)} | dict.fromkeys(_conditions(variants))
    return Price(
        input=rates["input"],
        output=rates["output"],
        cached=rates.get("cached"),
        cache_write=rates.get("cache_write"),
        reasoning=rates.get("reasoning"),
        input_audio=rates.get("input_audio"),
        output_audio=rates.get("output_audio"),
        cache_write_1h=rates.get("cache_write_1h"),
        per_request=Context(prec=100).scaleb(per_request, -3),
        source=source,
        omits=tuple(omits),
    )


def _rate(value: object) -> Rate:
    if isinstance(value, TieredPrices):
        return Rate(value.base, tuple(Tier(tier.start, tier.price) for tier in value.tiers))
    assert isinstance(value, Decimal)
    return Rate(value)


def _conditions(variants: Sequence[PriceVariant]) -> list[str]:
    """Rates that depend on how a request was made (batch, priority): the standard ones are charged."""
    values: dict[str, set[str]] = {}
    for variant in variants:
        for name, value in variant.when.items():
            values.setdefault(name, set()).add(value)
    return [
        f"other rates by {name.replace('_', ' ')} ({', '.join(sorted(those - {'default'}))})"
        for name, those in sorted(values.items())
        if those - {"default"}
    ]
