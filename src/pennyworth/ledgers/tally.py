"""What one receipt adds to the totals, and how sums become ``Totals``. Python's integers keep the money exact.

Late work (a receipt with a parent) is no request: it adds money, tokens, calls and doubts, but not to the counts of
requests, of where replies came from, and of how they ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

import msgspec

from pennyworth.ledgers.postings import Posting
from pennyworth.ledgers.window import day_label, hour_label, hour_of
from pennyworth.money import Money
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group

Counted = Receipt | Posting
"""A receipt, or as much of it as counts."""


class Facet(NamedTuple):
    """What receipts are grouped by, besides the hour."""

    scope: str
    model: str
    route: str
    served: str
    ending: str
    client: str
    team: str


class Tally(msgspec.Struct, kw_only=True):
    """Sums over receipts of one facet; money in picodollars."""

    requests: int = 0
    calls: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    estimated: int = 0
    unpriced: int = 0
    spent: int = 0
    would: int = 0
    own: int = 0
    saved: dict[str, int] = {}

    def add(self, receipt: Counted) -> None:
        self.requests += not receipt.parent
        self.calls += len(receipt.attempts)
        if (usage := receipt.usage) is not None:
            self.input += usage.input
            self.output += usage.output
            self.cached += usage.cached
        self.estimated += "estimated" in (receipt.basis, receipt.would_basis)
        self.unpriced += "unpriced" in (receipt.basis, receipt.would_basis)
        self.spent += receipt.spent.pico
        self.would += receipt.would_have_cost.pico
        self.own += receipt.own.pico
        if receipt.saved:
            for layer, amount in receipt.saved.items():
                self.saved[layer] = self.saved.get(layer, 0) + amount.pico

    def take(self, receipt: Counted) -> None:
        """Undoes an ``add``, here or elsewhere."""
        other = Tally()
        other.add(receipt)
        self.merge(other, -1)

    @property
    def is_empty(self) -> bool:
        return not (self.requests or self.calls or self.spent or self.would or self.own or any(self.saved.values()))

    def merge(self, other: Tally, times: int = 1) -> None:
        self.requests += times * other.requests
        self.calls += times * other.calls
        self.input += times * other.input
        self.output += times * other.output
        self.cached += times * other.cached
        self.estimated += times * other.estimated
        self.unpriced += times * other.unpriced
        self.spent += times * other.spent
        self.would += times * other.would
        self.own += times * other.own
        for layer, pico in other.saved.items():
            self.saved[layer] = self.saved.get(layer, 0) + times * pico


class Part(NamedTuple):
    """A tally with what ``Totals`` breaks it down by."""

    group: str
    served: str
    ending: str
    tally: Tally


facet_fields: Callable[[Counted], tuple[str, ...]] = attrgetter(*Facet._fields)
"""The same as ``facet_of``, as a plain tuple: equal to it, hashed like it, and made in half the time."""


def facet_of(receipt: Counted) -> Facet:
    return Facet(*facet_fields(receipt))


def part_of(receipt: Receipt, by: Group) -> Part:
    """One receipt by itself, for the edges of a window."""
    tally = Tally()
    tally.add(receipt)
    return Part(group_key(by, hour_of(receipt.at_s), facet_of(receipt)), receipt.served, receipt.ending, tally)


def checked_filter(where: Mapping[str, str] | None) -> dict[str, str]:
    """The filter, if it names only columns that receipts can be filtered by."""
    wanted = dict(where or {})
    if unknown := wanted.keys() - set(Facet._fields):
        raise ValueError(f"receipts cannot be filtered by {sorted(unknown)}; use {', '.join(Facet._fields)}")
    return wanted


def group_key(by: Group, hour: int, facet: Facet) -> str:
    """The key under which ``Ledger.totals`` counts a receipt of this hour and facet."""
    match by:
        case "":
            return ""
        case "day":
            return day_label(hour)
        case "hour":
            return hour_label(hour)
        case _:
            return str(getattr(facet, by))


def totals_of(parts: Iterable[Part], by: Group) -> dict[str, Totals]:
    """Totals by group. Over nothing at all, "" is still one row, of zeros."""
    groups: dict[str, _Growing] = {"": _Growing()} if by == "" else {}
    for part in parts:
        groups.setdefault(part.group, _Growing()).add(part)
    return {group: growing.totals() for group, growing in groups.items()}


class _Growing:
    """The totals of one group while they are being added up."""

    __slots__ = ("endings", "served", "sum")

    def __init__(self) -> None:
        self.sum = Tally()
        self.served: dict[str, int] = {}
        self.endings: dict[str, int] = {}

    def add(self, part: Part) -> None:
        self.sum.merge(part.tally)
        if requests := part.tally.requests:
            self.served[part.served] = self.served.get(part.served, 0) + requests
            self.endings[part.ending] = self.endings.get(part.ending, 0) + requests

    def totals(self) -> Totals:
        total = self.sum
        return Totals(
            requests=total.requests,
            served=self.served,
            endings=self.endings,
            upstream_calls=total.calls,
            input_tokens=total.input,
            output_tokens=total.output,
            cached_tokens=total.cached,
            spent=Money(total.spent),
            would_have_cost=Money(total.would),
            saved={layer: Money(pico) for layer, pico in total.saved.items() if pico},
            own=Money(total.own),
            estimated_requests=total.estimated,
            unpriced_requests=total.unpriced,
        )
