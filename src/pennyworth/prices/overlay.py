"""The operator's own prices, from a TOML file, over another price book: what the file says wins, the rest is the book's.

docs/prices.md explains the file by example. It is read once; a reload reads it anew, also for an unchanged Plan.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import msgspec

from pennyworth.decide.glob import matches
from pennyworth.errors import ConfigError
from pennyworth.money import Price
from pennyworth.ports import PriceBook
from pennyworth.prices.currency import Currency, read_currencies
from pennyworth.prices.entry import Entry, Like, read_entry
from pennyworth.prices.reading import Place
from pennyworth.prices.reseller import Terms, listed_as, read_resellers

_DAY_S = 86400
_MOST = 4096


class OverlayPrices:
    """A ``PriceBook``: the first pair of patterns in the file that matches and is in force, else what the file says of that
    reseller, else the book beneath.

    Among entries of one pair the newest ``from`` that has come applies. ``like`` sees only what stands above it in the
    file and the book beneath, so it cannot go round in circles, and an entry may be like the very model it reprices.

    Raises:
        ConfigError: the file cannot be read, or a value in it cannot be used.
    """

    def __init__(self, path: str | Path, base: PriceBook, stale_after_days: int = 60) -> None:
        self._base = base
        self._name = Path(path).name
        self._stale_after_days = stale_after_days
        content = _load(path)
        top = Place(f"{self._name}", content)
        top.only(("as_of", "currency", "price", "reseller"))
        self._as_of = top.instant("as_of")
        self._currencies = read_currencies(self._name, content.get("currency", {}))
        self._rules = _rules(self._name, content.get("price", []), self._currencies)
        self._resellers = read_resellers(self._name, content.get("reseller", {}), self._currencies)
        self._matching: dict[tuple[str, str], tuple[int, ...]] = {}
        self._derived: dict[tuple[Price, Decimal, str], Price] = {}

    def price(self, provider: str, model: str, at_s: float) -> Price | None:
        """The price then, by the file or the book beneath; ``None`` where neither has one."""
        reseller = self._resellers.get(provider.lower()) if self._resellers else None
        if reseller is not None and self._rule(provider, model, at_s, len(self._rules)) is None:
            terms = reseller.at(at_s)
            if terms is not None:
                return self._resold(reseller.name, terms, model, at_s)
        return self._price(provider, model, at_s, len(self._rules))

    def exchange(self, currency: str, at_s: float) -> Decimal | None:
        """By the file's ``[currency.…]`` tables."""
        known = self._currencies.get(currency)
        return known.rate(at_s) if known else None

    def warnings(self, now_s: float) -> Sequence[str]:
        """The book's own, and what in the file is old or leads nowhere."""
        return (*self._base.warnings(now_s), *self._old(now_s), *self._dangling(now_s))

    def _price(self, provider: str, model: str, at_s: float, before: int) -> Price | None:
        """``before``: only rules that stand above this one count, and no reseller."""
        found = self._rule(provider, model, at_s, before)
        return self._made(*found, model, at_s) if found else self._base.price(provider, model, at_s)

    def _rule(self, provider: str, model: str, at_s: float, before: int) -> tuple[Entry, int] | None:
        """The entry that applies, and its rule's place."""
        indexes = self._matching.get((provider, model))
        if indexes is None:
            indexes = self._match(provider, model)
        for index in indexes:
            if index >= before:
                break
            for entry in self._rules[index]:
                if at_s >= entry.from_s:
                    return entry, index
        return None

    def _match(self, provider: str, model: str) -> tuple[int, ...]:
        if len(self._matching) >= _MOST:  # callers choose model names
            self._matching.clear()
        company, name = provider.lower(), model.lower()
        found = self._matching[provider, model] = tuple(
            index
            for index, (first, *_) in enumerate(self._rules)
            if matches(first.provider, company) and matches(first.model, name)
        )
        return found

    def _made(self, entry: Entry, index: int, model: str, at_s: float) -> Price | None:
        if isinstance(entry.how, Like):
            return self._alike(entry.how, index, model, at_s)
        price = entry.how[0][1]
        for since_s, later in entry.how[1:]:
            if at_s >= since_s:
                price = later
        return price

    def _alike(self, like: Like, index: int, model: str, at_s: float) -> Price | None:
        other = self._price(like.provider, model if like.model == "*" else like.model, at_s, index)
        if other is None:
            return None
        made = self._times(other, like.multiplier, f"overlay {self._name}: {like.multiplier} ×")
        return made if like.batch is None else self._at_batch(made, like.batch)

    def _at_batch(self, price: Price, factor: Decimal) -> Price:
        key = (price, factor, "batch")
        made = self._derived.get(key)
        if made is None:
            made = self._derived[key] = msgspec.structs.replace(price, batch=factor)
        return made

    def _resold(self, name: str, terms: Terms, model: str, at_s: float) -> Price | None:
        """By the first of its companies that lists the model: by the rules of the file, or in the book beneath."""
        for company in terms.sells:
            for listed in listed_as(company, model):
                other = self._price(company, listed, at_s, len(self._rules))
                if other is not None:
                    words = f"overlay {self._name}: reseller {name}: {terms.words(at_s)}"
                    return self._times(other, terms.dollars_a_dollar(at_s), words)
        return None

    def _times(self, other: Price, factor: Decimal, words: str) -> Price:
        """Made once: who charges by it knows a changed price by its being another object."""
        made = self._derived.get((other, factor, words))
        if made is None:
            if len(self._derived) >= _MOST:
                self._derived.clear()
            multiplier = Context(prec=100).multiply(other.multiplier, factor)
            made = msgspec.structs.replace(other, multiplier=multiplier, source=f"{words} {other.source}")
            self._derived[other, factor, words] = made
        return made

    def _old(self, now_s: float) -> list[str]:
        limit_s = self._stale_after_days * _DAY_S
        found = []
        if self._as_of is not None and now_s - self._as_of > limit_s:
            found.append(
                f"The overlay {self._name} was last checked {_days(now_s - self._as_of)} days ago: compare it with what you "
                "pay, and set its as_of."
            )
        used = {entry.currency for rule in self._rules for entry in rule}
        used |= {terms.currency.name for reseller in self._resellers.values() for terms in reseller.terms}
        for name in sorted(used - {"USD"}):
            age_s = now_s - self._currencies[name].rates[-1][0]
            if age_s > limit_s:
                found.append(
                    f"The rate of {name} in {self._name} is {_days(age_s)} days old: add a [[currency.{name}]] of today."
                )
        return found

    def _dangling(self, now_s: float) -> list[str]:
        return [
            f"{entry.where}: {entry.how.provider}/{entry.how.model} has no price today, so models priced like it are unpriced."
            for index, rule in enumerate(self._rules)
            for entry in rule
            if isinstance(entry.how, Like)
            and entry.how.model != "*"
            and self._price(entry.how.provider, entry.how.model, now_s, index) is None
        ]


def currencies_in(path: str | Path) -> Mapping[str, Currency]:
    """The currencies of an overlay alone: for who counts budgets and needs no prices."""
    return read_currencies(Path(path).name, _load(path).get("currency", {}))


def _days(seconds: float) -> int:
    return int(seconds // _DAY_S)


def _load(path: str | Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text("utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("prices.overlay", f"{path} cannot be read ({error})", "Name a TOML file of prices.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"not TOML: {error}", "Mend the line; docs/prices.md has an example.") from None


def _rules(name: str, given: object, currencies: Mapping[str, Currency]) -> tuple[tuple[Entry, ...], ...]:
    """Entries by their pair of patterns, pairs in the order of the file, the newest entry of each pair first."""
    if not isinstance(given, list) or not all(isinstance(table, Mapping) for table in given):
        raise ConfigError(f"{name}: price", "not a list of tables", "Begin each price with a line [[price]].")
    rules: dict[tuple[str, str], list[Entry]] = {}
    for number, table in enumerate(given, 1):
        entry = read_entry(f"{name}: [[price]] #{number}", table, currencies, f"overlay {name}")
        rule = rules.setdefault((entry.provider, entry.model), [])
        for other in rule:
            if other.from_s == entry.from_s:
                problem = f'"{entry.provider}/{entry.model}" is priced from the same moment by {other.where}'
                raise ConfigError(f"{entry.where}.from", problem, "Give one of them a later from, or remove it.")
        rule.append(entry)
    return tuple(tuple(sorted(rule, key=lambda entry: -entry.from_s)) for rule in rules.values())
