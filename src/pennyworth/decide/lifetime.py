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


class Rules(msgspec.Struct, frozen=True):
    """Compiled rules, in order of precedence. Made by ``compile_rules``.

    Attributes:
        classes: those that have patterns.
        patterns: all patterns and ignored phrases of all classes. One pass finds those that match: by their literals
            first, then by trying the few whose literals are there. That takes 4 µs a question where one automaton a
            class took 22 (real questions in three languages), and half the memory.
        owners: the place of each one's class, inverted (``~``) for an ignored phrase.
    """

    classes: tuple[Lifetime, ...]
    default: Lifetime
    patterns: Any
    owners: tuple[int, ...]

    def find(self, text: bytes) -> Sequence[int]:
        """Which patterns match, in order."""
        found: list[int] | None = self.patterns.Match(text)
        return found or ()

    def claims(self, place: int, text: bytes, found: Sequence[int]) -> bool:
        """Whether a class of which a pattern was found still claims the text without its ignored phrases."""
        ignored = [each for each in found if self.owners[each] == ~place]
        for each in ignored:
            text = self.patterns.re(each).sub(b" . ", text)
        return not ignored or any(self.owners[each] == place for each in self.find(text))


def compile_rules(lifetimes: Sequence[Lifetime], default: str) -> Rules:
    """Compiles the classes in their order: the first that matches wins, so the shortest-lived belong first.

    Raises:
        ConfigError: a pattern RE2 does not take, or a default that names no class.
    """
    named = {lifetime.name: lifetime for lifetime in lifetimes}
    if default not in named:
        raise ConfigError("default_lifetime", f"no lifetime is called {default!r}", f"Use one of {', '.join(named)}")
    ruled = [lifetime for lifetime in lifetimes if lifetime.patterns]
    patterns, owners = _filter(ruled)
    return Rules(tuple(ruled), named[default], patterns, owners)


def classify(question: str, rules: Rules) -> Lifetime:
    """The class of a question: what its last user turn says. Bounded work, whatever the length."""
    text = _edges(question)
    found = rules.find(text)
    for each in found:
        place = rules.owners[each]
        if place >= 0 and rules.claims(place, text, found):
            return rules.classes[place]
    return rules.default


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


def _filter(lifetimes: Sequence[Lifetime]) -> tuple[Any, tuple[int, ...]]:
    """``Rules.patterns`` and ``Rules.owners``."""
    patterns = re2.Filter()
    owners: list[int] = []
    keys: list[tuple[str, str]] = []
    for place, lifetime in enumerate(lifetimes):
        for owner, field, said in ((place, "patterns", lifetime.patterns), (~place, "ignore", lifetime.ignore)):
            for pattern in said:
                key = f"lifetimes.{lifetime.name}.{field}"
                _add(patterns, pattern, key)
                owners.append(owner)
                keys.append((pattern, key))
    patterns.Compile()
    for empty in patterns.Match(b"") or ():
        pattern, key = keys[empty]
        raise _refused(pattern, key, "it matches the empty text, so every question")
    return patterns, tuple(owners)


def _add(patterns: Any, pattern: str, key: str) -> None:
    try:
        patterns.Add(pattern.encode(), _options())
    except UnicodeEncodeError as error:
        raise _refused(pattern, key, f"RE2 does not take it: {error}") from error
    except re2.error:
        raise _refused(pattern, key, f"RE2 does not take it: {_why_not(pattern)}") from None


def _why_not(pattern: str) -> str:
    """A filter only says that it does not take a pattern."""
    try:
        re2.compile(pattern, options=_options())
    except re2.error as error:
        return str(error)
    return "it is too large"


def _refused(pattern: str, key: str, problem: str) -> ConfigError:
    fix = "RE2 has no look-around and no back-references; see docs/lifetimes.md"
    return ConfigError(key, f"{pattern!r:.100} cannot be used: {problem}", fix)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.never_capture = True
    return options
