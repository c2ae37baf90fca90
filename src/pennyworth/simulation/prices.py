"""Prices of the simulation. The plan names them for every model, so the book behind it is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pennyworth.money import Price, Rate


class NoPrices:
    """A ``PriceBook`` in which nothing stands."""

    def price(self, provider: str, model: str, at_s: float) -> Price | None:
        return None

    def exchange(self, currency: str, at_s: float) -> Decimal | None:
        return Decimal(1) if currency == "USD" else None

    def warnings(self, now_s: float) -> Sequence[str]:
        return ()


def price_of(dollars: Mapping[str, str]) -> Price:
    """As an operator would write it, from dollars per million tokens."""
    rates = {kind: Rate(Decimal(amount)) for kind, amount in dollars.items()}
    return Price(input=rates["input"], output=rates["output"], cached=rates["cached"], source="simulation")
