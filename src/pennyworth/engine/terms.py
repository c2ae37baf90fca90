"""The terms by which requests are served: a Plan, and what is made of it once.

Terms are made whole before they are adopted, so that a Plan that cannot work is refused while the old one goes on
serving. A request keeps the terms it began with: its prices and lifetimes are those of its start, whatever is adopted
meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pennyworth.decide.lifetime import Rules, compile_rules
from pennyworth.engine.rates import Rates
from pennyworth.plan import Lifetime, Plan
from pennyworth.ports import PriceBook


class Terms(msgspec.Struct, frozen=True):
    """``kinds``: the classes of lifetime by name, the default among them."""

    plan: Plan
    rates: Rates
    rules: Rules
    kinds: Mapping[str, Lifetime]


def make_terms(plan: Plan, book: PriceBook, before: Terms | None = None) -> Terms:
    """``before``: terms whose compiled rules are taken over where the classes are the same, which spares 20 ms.

    Raises:
        ConfigError: a pattern RE2 does not take, or a default lifetime that names no class.
    """
    if before is not None and _same_classes(before.plan, plan):
        rules = before.rules
    else:
        rules = compile_rules(plan.lifetimes, plan.default_lifetime)
    return Terms(plan, Rates(book), rules, {kind.name: kind for kind in plan.lifetimes})


def _same_classes(one: Plan, other: Plan) -> bool:
    return one.lifetimes == other.lifetimes and one.default_lifetime == other.default_lifetime
