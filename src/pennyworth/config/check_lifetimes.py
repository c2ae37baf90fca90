"""Can each class of question be met, and do answers live as long as their class says?"""

from __future__ import annotations

from collections.abc import Iterator

import re2  # type: ignore[import-untyped]

from pennyworth.config.amounts import show_duration
from pennyworth.config.finding import Finding, warning
from pennyworth.config.lifetimes import compiled
from pennyworth.config.problems import dotted
from pennyworth.decide.lifetime_rules import EMBEDDING
from pennyworth.plan import Lifetime, Plan


def findings(plan: Plan) -> Iterator[Finding]:
    for lifetime in plan.lifetimes:
        yield from _patterns(lifetime, plan.default_lifetime)
        yield from _ages(lifetime, plan.cache.age_cap_s)


def matches_nothing(pattern: str) -> bool:
    """Whether RE2 can tell that no text matches. It cannot always: False means "as far as we know, some does"."""
    regex = compiled(pattern)
    try:
        least, most = regex.possiblematchrange(8)
    except re2.error:  # no bound can be given, so something matches
        return False
    return not least and not most and not regex.search("")


def _patterns(lifetime: Lifetime, default: str) -> Iterator[Finding]:
    key = f"{dotted('lifetimes', lifetime.name)}.patterns"
    for pattern in lifetime.patterns:
        if matches_nothing(pattern):
            yield warning(key, f"{pattern[:60]!r} can match no question", "Mend or remove it.")
    if not lifetime.patterns and lifetime.name not in (default, EMBEDDING):
        message = "it has no patterns, so no question is ever of this class"
        yield warning(key, message, "Give it patterns, or make it the default_lifetime.")


def _ages(lifetime: Lifetime, cap_s: float) -> Iterator[Finding]:
    if lifetime.max_s > cap_s:
        message = f"{show_duration(lifetime.max_s)} is longer than cache.age_cap, {show_duration(cap_s)}, which wins"
        yield warning(f"{dotted('lifetimes', lifetime.name)}.max", message, "Raise the cap or lower the lifetime.")
