"""How long answers live, by class of question: the shipped classes as the operator changed or added to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import re2  # type: ignore[import-untyped]

from pennyworth.config.amounts import show_duration
from pennyworth.config.kinds import NAME
from pennyworth.config.problems import dotted
from pennyworth.config.reading import Reading
from pennyworth.config.schema import LIFETIME
from pennyworth.decide.lifetime import compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.errors import ConfigError
from pennyworth.plan import Lifetime


def lifetimes(reading: Reading, value: object) -> tuple[Lifetime, ...]:
    """The operator's own classes first, in the order of the file, so that they win; then the shipped ones."""
    tables = reading.named(value, "lifetimes", NAME)
    shipped = {lifetime.name: lifetime for lifetime in DEFAULT_LIFETIMES}
    read = {name: _lifetime(reading, name, table, shipped.get(name)) for name, table in tables.items()}
    own = [lifetime for name, lifetime in read.items() if name not in shipped]
    return (*own, *(read.get(name, lifetime) for name, lifetime in shipped.items()))


def refuse_unworkable(reading: Reading, classes: Sequence[Lifetime], default: str) -> None:
    """What only the classes together can show: a default that is none of them, or more patterns than RE2 takes."""
    names = [lifetime.name for lifetime in classes]
    if default not in names:
        reading.unknown(default, names, "default_lifetime", "lifetime")
        return
    try:
        compile_rules(classes, default)
    except ConfigError as error:
        reading.errors.append(error)


def compiled(pattern: str) -> Any:
    """The pattern as questions meet it, in any case; raises ``re2.error``."""
    options = re2.Options()
    options.log_errors = False  # the library would write to stderr by itself
    options.case_sensitive = False
    return re2.compile(pattern, options)


def _lifetime(reading: Reading, name: str, table: Mapping[str, object], shipped: Lifetime | None) -> Lifetime:
    at = dotted("lifetimes", name)
    given = reading.section(LIFETIME, table, at)
    _refuse_patterns(reading, given, at)
    if shipped is None and "ttl" not in table:
        reading.wrong(f"{at}.ttl", "it is missing", 'Say how long answers of this class live, such as ttl = "1h".')
    start = shipped or Lifetime(name=name, ttl_s=given.get("ttl_s", 0.0), max_s=given.get("ttl_s", 0.0))
    ttl_s = given.get("ttl_s", start.ttl_s)
    max_s = given.get("max_s", _longest(start, ttl_s))
    if max_s < ttl_s:
        problem = f"{show_duration(max_s)} is shorter than the ttl of {show_duration(ttl_s)}"
        reading.wrong(f"{at}.max", problem, "Set it to the ttl or longer.")
    patterns = given.get("patterns", start.patterns) + given.get("more_patterns", ())
    ignore = given.get("ignore", start.ignore) + given.get("more_ignore", ())
    return Lifetime(name=name, ttl_s=ttl_s, max_s=max_s, patterns=patterns, ignore=ignore)


def _longest(start: Lifetime, ttl_s: float) -> float:
    # A class that earns nothing as shipped goes on earning nothing when only its ttl changes.
    return ttl_s if start.max_s == start.ttl_s else max(ttl_s, start.max_s)


def _refuse_patterns(reading: Reading, given: Mapping[str, Any], at: str) -> None:
    for key in ("patterns", "more_patterns", "ignore", "more_ignore"):
        for place, pattern in enumerate(given.get(key, ())):
            try:
                compiled(pattern)
            except re2.error as error:
                fix = "RE2 has no look-around and no back-references; see https://github.com/google/re2/wiki/Syntax."
                reading.wrong(f"{at}.{key}[{place}]", f"RE2 cannot read {pattern[:60]!r}: {_reason(error)}", fix)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
