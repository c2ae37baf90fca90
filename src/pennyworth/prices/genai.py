"""The published price book: the data that the genai-prices package ships, as of the day it was installed.

It reads that data and nothing else: no update over the network, and no notice of a snapshot the application around us may
have told the library to use. A newer book is a newer package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version

import msgspec
from genai_prices import data
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, TimeOfDateConstraint

from pennyworth.money import Price
from pennyworth.prices.translate import translate

_DAY_S = 86400
_MOST = 4096
_LONGEST_NAME = 256


class _Hours(msgspec.Struct, frozen=True):
    """A part of every day in UTC, by second of the day; it may run over midnight."""

    from_s: float
    to_s: float

    def hold(self, at_s: float) -> bool:
        second = at_s % _DAY_S
        if self.to_s < self.from_s:
            return second >= self.from_s or second < self.to_s
        return self.from_s <= second < self.to_s


class _Slot(msgspec.Struct, frozen=True):
    """A price, the moment from which it holds, and the hours of the day at which it does."""

    price: Price | None
    from_s: float = float("-inf")
    hours: _Hours | None = None


class GenaiPrices:
    """A ``PriceBook`` over genai-prices: models, aliases and dated snapshots match as the library matches them."""

    def __init__(self, stale_after_days: int = 60) -> None:
        self._providers = data.providers
        self._stale_after_days = stale_after_days
        self._as_of = _as_of(self._providers, _installed())
        self._name = f"genai-prices {version('genai-prices')}"
        self._slots: dict[tuple[str, str], tuple[_Slot, ...]] = {}

    def price(self, provider: str, model: str, at_s: float) -> Price | None:
        """The standard price then; ``None`` where the book has none that our token counts could be charged by."""
        slots = self._slots.get((provider, model))
        if slots is None:
            slots = self._remember(provider, model)
        for slot in slots:
            if at_s >= slot.from_s and (slot.hours is None or slot.hours.hold(at_s)):
                return slot.price
        return None

    def everywhere(self, model: str, at_s: float) -> list[tuple[str, Price]]:
        """Who else sells this model and at what price, by the book's ids."""
        offers = ((provider.id, self.price(provider.id, model, at_s)) for provider in self._providers)
        return [(provider, price) for provider, price in offers if price is not None]

    def exchange(self, currency: str, at_s: float) -> Decimal | None:
        """The book is in dollars and knows no other currency."""
        return Decimal(1) if currency == "USD" else None

    def warnings(self, now_s: float) -> Sequence[str]:
        """Says so when the book has not learnt of a price change for longer than the operator thinks good."""
        age_days = int(now_s - _midnight_s(self._as_of)) // _DAY_S
        if age_days <= self._stale_after_days:
            return ()
        return (
            f"The price book ({self._name}) knows of no price change after {self._as_of}, {age_days} days ago: "
            "upgrade the package genai-prices, or correct single prices in an overlay.",
        )

    def _remember(self, provider: str, model: str) -> tuple[_Slot, ...]:
        # Callers choose model names, so the memory must have a bound; a look-up anew costs 0.1 to 0.8 ms.
        if len(model) > _LONGEST_NAME:
            return ()
        if len(self._slots) >= _MOST:
            self._slots.clear()
        slots = self._slots[provider, model] = tuple(self._find(provider, model))
        return slots

    def _find(self, provider: str, model: str) -> Iterator[_Slot]:
        seller = find_provider_by_id(self._providers, provider) if provider else None
        info = seller.find_model(model, all_providers=self._providers) if seller else None
        if seller is not None and info is not None:
            yield from _slots(info, f"{self._name} ({self._as_of}): {seller.id} {info.id}")


def _slots(info: ModelInfo, source: str) -> Iterator[_Slot]:
    """In the library's order: the last price whose condition holds, or else the first."""
    prices = [ConditionalPrice(prices=info.prices)] if isinstance(info.prices, ModelPrice) else info.prices
    for conditional in reversed(prices):
        yield _slot(conditional, translate(conditional.prices, info.price_variants or (), source))
    if prices:
        yield _Slot(translate(prices[0].prices, info.price_variants or (), source))


def _slot(conditional: ConditionalPrice, price: Price | None) -> _Slot:
    match conditional.constraint:
        case None:
            return _Slot(price)
        case StartDateConstraint(start_date=start):
            return _Slot(price, from_s=_midnight_s(start))
        case TimeOfDateConstraint(start_time=start, end_time=end):
            return _Slot(price, hours=_Hours(_second(start), _second(end)))
    return _Slot(None)  # a kind of condition we do not know: then nor do we know the price


def _second(moment: time) -> float:
    """Second of the day in UTC, which a time without a zone is taken to be in."""
    offset = moment.utcoffset()
    local = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return (local - (offset.total_seconds() if offset else 0.0)) % _DAY_S


def _midnight_s(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def _installed() -> date:
    """When the package's data came to this machine. Some builds stamp files with an epoch; then we cannot tell."""
    day = datetime.fromtimestamp(os.stat(data.__file__).st_mtime, UTC).date()
    return day if day.year > 2020 else date.max


def _as_of(providers: Sequence[data.Provider], installed: date) -> date:
    """The newest price change the data knows of. It carries no date of its own, and lists announced prices as well:
    those that were still to come when it was installed say nothing about its age."""
    starts = (
        conditional.constraint.start_date
        for provider in providers
        for model in provider.models
        if isinstance(model.prices, list)
        for conditional in model.prices
        if isinstance(conditional.constraint, StartDateConstraint)
    )
    return max((start for start in starts if start <= installed), default=date(1970, 1, 1))
