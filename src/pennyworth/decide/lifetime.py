"""How long may an answer live? By the kind of its question, and by how often it is asked.

A question is classified when its answer is about to be kept, not before the look-up: a hit pays nothing for this.
The rules are data (``lifetime_rules`` ships some, the configuration may replace them); RE2 runs them in linear time,
so a rule or a question made to be slow is not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec
import re2  # type: ignore[import-untyped]
from msgspec.structs import replace

from pennyworth.errors import ConfigError
from pennyworth.outcome import Kept
from pennyworth.plan import CacheSpec, Lifetime, Route
from pennyworth.request import Directives

EDGE_CHARS = 600
"""So much of a long text is read, from each end: that is where the question is, between lies what it is about."""

WORTH = 0.1
"""An extension shorter than this share of the life so far is not worth a write."""


_CHUNK = 16
"""Patterns in one automaton. Forty-seven in one outgrew RE2's memory for states and fell back to its slow matcher (340 µs
a question for that class alone); in sixteens all classes together take 35 µs, and 14 MB."""


class _Class(msgspec.Struct, frozen=True):
    lifetime: Lifetime
    patterns: tuple[Any, ...]
    ignore: tuple[Any, ...]

    def claims(self, text: bytes) -> bool:
        if not self._matches(text):
            return False
        if not self.ignore:
            return True
        for phrase in self.ignore:
            text = phrase.sub(b" . ", text)
        return self._matches(text)

    def _matches(self, text: bytes) -> bool:
        return any(pattern.search(text) is not None for pattern in self.patterns)


class Rules(msgspec.Struct, frozen=True):
    """Compiled rules, in order of precedence. Made by ``compile_rules``."""

    classes: tuple[_Class, ...]
    default: Lifetime


def compile_rules(lifetimes: Sequence[Lifetime], default: str) -> Rules:
    """Compiles the classes in their order: the first that matches wins, so the shortest-lived belong first.

    Raises:
        ConfigError: a pattern RE2 does not take, or a default that names no class.
    """
    named = {lifetime.name: lifetime for lifetime in lifetimes}
    if default not in named:
        raise ConfigError("default_lifetime", f"no lifetime is called {default!r}", f"Use one of {', '.join(named)}")
    classes = [
        _Class(
            lifetime,
            _compile(lifetime.patterns, f"lifetimes.{lifetime.name}.patterns"),
            _compile(lifetime.ignore, f"lifetimes.{lifetime.name}.ignore"),
        )
        for lifetime in lifetimes
        if lifetime.patterns
    ]
    return Rules(tuple(classes), named[default])


def classify(question: str, rules: Rules) -> Lifetime:
    """The class of a question: what its last user turn says. Bounded work, whatever the length."""
    text = _edges(question)
    return next((rule.lifetime for rule in rules.classes if rule.claims(text)), rules.default)


def on_route(lifetime: Lifetime, route: Route) -> Lifetime:
    """The class under a route's own ``ttl_s``, which replaces first life and maximum.

    Except where a class is about being out of date: what is never kept stays so, and what may not earn life does not
    get more from a route either.
    """
    if route.ttl_s is None or lifetime.ttl_s <= 0.0:
        return lifetime
    ttl_s = route.ttl_s if lifetime.max_s > lifetime.ttl_s else min(route.ttl_s, lifetime.ttl_s)
    return replace(lifetime, ttl_s=ttl_s, max_s=ttl_s)


def expires(lifetime: Lifetime, created_s: float, asks: int, now_s: float, spec: CacheSpec) -> float:
    """When an answer that was created then and asked for so often expires; 0 = it is not kept.

    Every ``earn_after`` askings double its life, up to the class's maximum and under the absolute cap on its age.
    Both are counted from its creation, so being popular never makes an answer older than that.
    """
    if lifetime.ttl_s <= 0.0:
        return 0.0
    doublings = min(max(asks, 0) // max(spec.earn_after, 1), 64)
    life_s = min(lifetime.ttl_s * 2.0**doublings, max(lifetime.max_s, lifetime.ttl_s), spec.age_cap_s)
    expires_s = created_s + life_s
    return expires_s if expires_s > now_s else 0.0


def renewed(kept: Kept, lifetime: Lifetime, now_s: float, spec: CacheSpec) -> float | None:
    """The later expiry a hit has earned for its answer, or ``None`` where that is not worth a write.

    Life doubles, so an answer is written again some ten times at most however often it is asked for.
    """
    earned_s = expires(lifetime, kept.answer.created_s, kept.asks, now_s, spec)
    lived_s = kept.expires_s - kept.answer.created_s
    gained_s = earned_s - kept.expires_s
    return earned_s if gained_s > max(lived_s, 1.0) * WORTH else None


def fresh(kept: Kept, directives: Directives, now_s: float) -> bool:
    """Whether a kept answer is young enough for this caller: its own life, ``max-age``, ``max-stale`` (RFC 9111).

    ``max-stale`` is granted only within the stale window the operator allows.
    """
    if directives.max_age_s is not None and now_s - kept.answer.created_s > directives.max_age_s:
        return False
    return now_s < kept.expires_s + min(directives.max_stale_s or 0, kept.stale_s)


def _edges(question: str) -> bytes:
    if len(question) > 2 * EDGE_CHARS:
        question = f"{question[:EDGE_CHARS]}\n{question[-EDGE_CHARS:]}"
    if not question.isascii():
        question = unicodedata.normalize("NFC", question)
    return question.encode("utf-8", "replace")  # a lone surrogate is no UTF-8, and RE2 reads nothing else


def _compile(patterns: Sequence[str], key: str) -> tuple[Any, ...]:
    """The patterns as few alternations, whatever their case."""
    chunks = [patterns[start : start + _CHUNK] for start in range(0, len(patterns), _CHUNK)]
    return tuple(compiled for chunk in chunks for compiled in _compile_chunk(chunk, key))


def _compile_chunk(patterns: Sequence[str], key: str) -> tuple[Any, ...]:
    """One alternation; or halves, where it cannot be compiled, down to the pattern at fault."""
    problem = ""
    try:
        compiled = re2.compile("|".join(f"(?:{pattern})" for pattern in patterns).encode(), options=_options())
        problem = "it matches the empty text, so every question" if compiled.search(b"") else ""
    except (re2.error, UnicodeEncodeError) as error:
        problem = f"RE2 does not take it: {error}"
    if not problem:
        return (compiled,)
    if len(patterns) > 1:
        half = len(patterns) // 2
        return _compile_chunk(patterns[:half], key) + _compile_chunk(patterns[half:], key)
    fix = "RE2 has no look-around and no back-references; see docs/lifetimes.md"
    raise ConfigError(key, f"{patterns[0]!r:.100} cannot be used: {problem}", fix)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.never_capture = True
    return options
