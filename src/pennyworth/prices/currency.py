"""Currencies of the overlay: what one unit is worth in dollars, from which day on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal

import msgspec

from pennyworth.errors import ConfigError
from pennyworth.prices.reading import Place


class Currency(msgspec.Struct, frozen=True):
    """Dated rates, oldest first. Before the first, the first one is used."""

    name: str
    rates: tuple[tuple[float, Decimal], ...]

    def rate(self, at_s: float) -> Decimal:
        """Dollars for one unit then."""
        found = self.rates[0][1]
        for since_s, rate in self.rates:
            if at_s >= since_s:
                found = rate
        return found


USD = Currency("USD", ((float("-inf"), Decimal(1)),))


def dollars(amount: Decimal, rate: Decimal) -> Decimal:
    """Exact: both are read with at most thirty digits."""
    return Context(prec=100).multiply(amount, rate)


def read_currencies(file: str, table: object) -> dict[str, Currency]:
    """The ``[currency.XXX]`` tables, each one rate, or a list of rates over time."""
    found = {"USD": USD}
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"{file}: currency", f"{table!r} is not a table", "Begin each currency with a line such as [currency.CNY]."
        )
    place = Place(f"{file}: currency", table)
    for name, given in table.items():
        if name == "USD":
            raise place.error(name, "the dollar is what all others are counted in", "Remove this table.")
        tables = given if isinstance(given, list) else [given]
        rates = sorted(_read_rate(place, name, one) for one in tables)
        if not rates or len({since for since, _ in rates}) < len(rates):
            raise place.error(name, "no rate, or two rates of one day", "Give one rate and its as_of per day.")
        found[name] = Currency(name, tuple(rates))
    return found


def _read_rate(parent: Place, name: str, given: object) -> tuple[float, Decimal]:
    if not isinstance(given, Mapping):
        raise parent.error(
            name, f"{given!r} is not a table", f'Write [currency.{name}] with rate = "0.1398" and as_of.'
        )
    place = Place(f"{parent.where}.{name}", given)
    place.only(("rate", "as_of"))
    rate = place.required("rate", f'Say how many dollars one {name} is, as in rate = "0.1398".', above_zero=True)
    as_of = place.instant("as_of")
    if as_of is None:
        raise place.error("as_of", "missing", "Say of which day the rate is, as in as_of = 2026-11-01.")
    return as_of, rate
