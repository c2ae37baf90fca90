"""A price book, ready to charge with: what a call to a target costs now.

One ``Rates`` for one price book. A reload makes another beside it, so that a request under way pays by the prices it
began with, and nothing remembered of one book is ever charged by the other.
"""

from __future__ import annotations

from typing import NamedTuple

from cachebox import LRUCache

from pennyworth.decide.tariff import Tariff, tariff, waiting
from pennyworth.money import ZERO, Basis, Money, Price, Usage
from pennyworth.plan import Target
from pennyworth.ports import PriceBook


class Rate(NamedTuple):
    """A target's latest price and the tariff made of it."""

    price: Price
    tariff: Tariff


class Rates:
    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._latest: LRUCache[str, Rate] = LRUCache(10_000)
        self._waiting: LRUCache[str, tuple[Rate, Tariff]] = LRUCache(1_000)

    def cost(self, target: Target, usage: Usage, basis: Basis, at_s: float) -> tuple[Money, Basis]:
        made = self.rate(target, at_s)
        return (made.tariff.cost(usage), basis) if made else (ZERO, "unpriced")

    def waiting(self, target: Target, usage: Usage, basis: Basis, at_s: float) -> tuple[Money, Basis]:
        """The same by the price of the provider's batch API."""
        rate = self.rate(target, at_s)
        if rate is None:
            return ZERO, "unpriced"
        last = self._waiting.get(target.name)
        if last is None or last[0] is not rate:
            last = (rate, tariff(waiting(rate.price)))
            self._waiting.insert(target.name, last)
        return last[1].cost(usage), basis

    def rate(self, target: Target, at_s: float) -> Rate | None:
        """The target's price then. The book is asked each time: prices change by the second."""
        provider = target.provider
        price = target.price or self.book.price(provider.price_provider or provider.name, target.model, at_s)
        if price is None:
            return None
        last = self._latest.get(target.name)
        if last is None or last.price is not price:
            last = Rate(price, tariff(price))
            self._latest.insert(target.name, last)
        return last

    def source(self, target: Target) -> str:
        """Where the last price asked for came from."""
        last = self._latest.get(target.name)
        return last.price.source if last else ""
