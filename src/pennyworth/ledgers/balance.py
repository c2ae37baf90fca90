"""The one law of the books: what was spent and what was saved is what it would have cost, to the picodollar."""

from __future__ import annotations

from pennyworth.outcome import Receipt, Totals


def balances(record: Receipt | Totals) -> bool:
    """Whether spent plus the savings of all layers is what it would have cost."""
    return record.spent.pico + sum(amount.pico for amount in record.saved.values()) == record.would_have_cost.pico
