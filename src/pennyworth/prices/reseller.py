"""A ``[reseller.NAME]`` of the overlay: everything a provider sells, priced by other companies' lists and one factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from pennyworth.errors import ConfigError
from pennyworth.prices.currency import Currency, dollars
from pennyworth.prices.reading import Place

_KEYS = ("sells", "factor", "currency", "from")
_SELLS = 'Name the companies whose lists it goes by, as in sells = ["openai", "anthropic"].'


class Terms(msgspec.Struct, frozen=True):
    """From one day on: so many units of a currency for each dollar of the list price, or of whose lists."""

    from_s: float
    factor: Decimal
    currency: Currency
    sells: tuple[str, ...]

    def dollars_a_dollar(self, at_s: float) -> Decimal:
        """What a dollar of the list price costs in dollars, by the rate of that day."""
        return dollars(self.factor, self._rate(at_s)[1])

    def words(self, at_s: float) -> str:
        if self.currency.name == "USD":
            return f"{self.factor} ×"
        return f"{self.factor} {self.currency.name} (at {self._rate(at_s)[1]} USD) a dollar of"

    def _rate(self, at_s: float) -> tuple[float, Decimal]:
        rates = self.currency.rates
        return next((rate for rate in reversed(rates) if at_s >= rate[0]), rates[0])


class Reseller(msgspec.Struct, frozen=True):
    """``terms``: the newest first."""

    name: str
    terms: tuple[Terms, ...]

    def at(self, at_s: float) -> Terms | None:
        """What applies then; ``None`` before the first day it has terms for."""
        return next((terms for terms in self.terms if at_s >= terms.from_s), None)


def listed_as(company: str, model: str) -> Iterator[str]:
    """The names under which a company may list what the reseller calls ``model``: many put the company before it."""
    yield model
    before, slash, name = model.partition("/")
    if slash and before.lower() == company.lower():
        yield name


def read_resellers(file: str, given: object, currencies: Mapping[str, Currency]) -> dict[str, Reseller]:
    """The resellers by name, lower case. Raises ``ConfigError``."""
    if not isinstance(given, Mapping):
        problem = f"{given!r} is not a table"
        raise ConfigError(f"{file}: reseller", problem, "Begin each reseller with a line such as [reseller.NAME].")
    return {name.lower(): _reseller(file, name, one, currencies) for name, one in given.items()}


def _reseller(file: str, name: str, given: object, currencies: Mapping[str, Currency]) -> Reseller:
    where = f"{file}: reseller.{name}"
    tables = given if isinstance(given, list) else [given]
    if not tables or not all(isinstance(table, Mapping) for table in tables):
        raise ConfigError(where, "not a table, nor a list of tables", f"Begin it with a line [reseller.{name}].")
    read = [_terms(Place(where, dict(table)), currencies) for table in tables if isinstance(table, Mapping)]
    terms = sorted(read, key=lambda one: -one.from_s)
    if len({one.from_s for one in terms}) < len(terms):
        raise ConfigError(f"{where}.from", "two terms from the same moment", "Give one of them a later from.")
    return Reseller(name, tuple(terms))


def _terms(place: Place, currencies: Mapping[str, Currency]) -> Terms:
    place.only(_KEYS)
    name = place.text("currency", "USD")
    if name not in currencies:
        fix = f'Add [currency.{name}] with rate = "…" and as_of = a date.'
        raise place.error("currency", f'"{name}" has no rate', fix)
    why = 'Say what a dollar of the list price costs there, as in factor = "0.8".'
    factor = place.required("factor", why, above_zero=True)
    since_s = place.instant("from")
    return Terms(float("-inf") if since_s is None else since_s, factor, currencies[name], _sells(place))


def _sells(place: Place) -> tuple[str, ...]:
    given: Any = place.table.get("sells")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise place.error("sells", "not a company, nor a list of companies", _SELLS)
    if any("*" in name or "/" in name for name in names):
        raise place.error("sells", "a company is named here, not a model", _SELLS)
    return tuple(names)
