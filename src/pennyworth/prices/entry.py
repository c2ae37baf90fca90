"""One ``[[price]]`` of the overlay: for which models it is, from when, and which of three ways makes it a price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from pennyworth.money import HALF, Price, Rate, Tier
from pennyworth.prices.currency import Currency, dollars
from pennyworth.prices.own_servers import KEYS as _GPU_KEYS
from pennyworth.prices.own_servers import read_own_servers
from pennyworth.prices.reading import Place

_ALWAYS = frozenset({"provider", "model", "from", "multiplier", "batch"})
_KINDS = ("input", "output", "cached", "cache_write", "reasoning", "input_audio", "output_audio", "cache_write_1h")
_FIXED_KEYS = _ALWAYS | {*_KINDS, "currency", "per_request", "tiers"}
_LIKE_KEYS = _ALWAYS | {"like"}
_ABOVE = "Say above how many input tokens it applies, as in above = 200000."
_OWN_KEYS = (_ALWAYS - {"batch"}) | _GPU_KEYS


class Like(msgspec.Struct, frozen=True):
    """The price of another model, times a factor. ``*`` as its model: the model that was asked for. ``batch``: instead of
    that price's own factor for its batch API."""

    provider: str
    model: str
    multiplier: Decimal
    batch: Decimal | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A price of the operator's own.

    Attributes:
        where: its place in the file, for messages.
        provider, model: patterns, lower case; ``*`` is any run of characters.
        how: prices by the day from which their currency's rate holds, oldest first; or another model's price.
        currency: what it is given in.
    """

    where: str
    provider: str
    model: str
    from_s: float
    how: tuple[tuple[float, Price], ...] | Like
    currency: str = "USD"


def read_entry(where: str, table: Mapping[str, Any], currencies: Mapping[str, Currency], source: str) -> Entry:
    """The entry that a table describes.

    Raises:
        ConfigError: naming the key, what it holds, and the fix.
    """
    place = Place(where, table)
    multiplier = place.number("multiplier", above_zero=True)
    currency = "USD"
    how: tuple[tuple[float, Price], ...] | Like
    if "like" in table:
        place.only(_LIKE_KEYS)
        how = _like(place, Decimal(1) if multiplier is None else multiplier)
    elif _GPU_KEYS & table.keys() - {"cached"}:
        place.only(_OWN_KEYS)
        how = ((float("-inf"), read_own_servers(place, f"{source}, GPU-hours", multiplier or Decimal(1))),)
    else:
        place.only(_FIXED_KEYS)
        currency = place.text("currency", "USD")
        how = _fixed(place, _currency(place, currency, currencies), multiplier or Decimal(1), source)
    return Entry(
        where=where,
        provider=place.text("provider", "*").lower(),
        model=place.text("model").lower(),
        from_s=_or_ever(place.instant("from")),
        how=how,
        currency=currency,
    )


def _or_ever(instant: float | None) -> float:
    return float("-inf") if instant is None else instant


def _like(place: Place, multiplier: Decimal) -> Like:
    provider, slash, model = place.text("like").partition("/")
    if not slash or not provider or not model or "*" in provider or ("*" in model and model != "*"):
        raise place.error(
            "like",
            f'"{place.table["like"]}" names no model',
            'Write "openai/gpt-4o", or "openai/*" for the same model.',
        )
    return Like(provider, model, multiplier, place.number("batch"))


def _currency(place: Place, name: str, currencies: Mapping[str, Currency]) -> Currency:
    if name not in currencies:
        fix = f'Add [currency.{name}] with rate = "…" and as_of = a date.'
        raise place.error("currency", f'"{name}" has no rate', fix)
    return currencies[name]


def _fixed(place: Place, currency: Currency, multiplier: Decimal, source: str) -> tuple[tuple[float, Price], ...]:
    for key in ("input", "output"):
        place.required(key, f'Give {currency.name} per million tokens, as in {key} = "2.50"; "0" if it is free.')
    tiers = _tiers(place)
    note = source if currency.name == "USD" else f"{source}, {currency.name}"
    return tuple((since, _price(place, tiers, rate, multiplier, note)) for since, rate in currency.rates)


def _price(place: Place, tiers: list[tuple[int, Place]], rate: Decimal, multiplier: Decimal, source: str) -> Price:
    def kind(name: str) -> Rate | None:
        base = place.number(name)
        if base is None:
            return None
        higher = ((above, tier.number(name)) for above, tier in tiers)
        return Rate(
            dollars(base, rate), tuple(Tier(above, dollars(usd, rate)) for above, usd in higher if usd is not None)
        )

    into, out = kind("input"), kind("output")
    assert into is not None
    assert out is not None
    return Price(
        input=into,
        output=out,
        cached=kind("cached"),
        cache_write=kind("cache_write"),
        reasoning=kind("reasoning"),
        input_audio=kind("input_audio"),
        output_audio=kind("output_audio"),
        cache_write_1h=kind("cache_write_1h"),
        per_request=dollars(place.number("per_request") or Decimal(0), rate),
        multiplier=multiplier,
        batch=HALF if (batch := place.number("batch")) is None else batch,
        source=source,
    )


def _tiers(place: Place) -> list[tuple[int, Place]]:
    """Sorted by threshold. A kind that a tier does not name keeps the rate it has below."""
    given = place.table.get("tiers", [])
    if not isinstance(given, list) or not all(isinstance(tier, Mapping) for tier in given):
        raise place.error(
            "tiers", "not a list of tables", 'Write tiers = [{ above = 200000, input = "5", output = "22.5" }].'
        )
    found: list[tuple[int, Place]] = []
    for number, table in enumerate(given, 1):
        tier = Place(f"{place.where}.tiers #{number}", table)
        tier.only(("above", *_KINDS))
        above = tier.required("above", _ABOVE, above_zero=True)
        if above != int(above):
            raise tier.error("above", f"{above} is no whole number of tokens", _ABOVE)
        for key in tier.table.keys() - {"above"}:
            if key not in place.table:
                raise tier.error(key, "this kind has no rate below the tier", f"Give {key} to the price itself, too.")
        found.append((int(above), tier))
    if len({above for above, _ in found}) < len(found):
        raise place.error("tiers", "two tiers start at the same number of tokens", "Keep one of them.")
    return sorted(found, key=lambda one: one[0])
