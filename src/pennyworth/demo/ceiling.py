"""The highest hit rate that a stream allows, and where the rest went: why some repeats were asked of the provider again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pennyworth.decide.lifetime import Rules, classify
from pennyworth.demo.heard import Heard

REALTIME = "questions about this moment (rates, today, now) are never kept"
IN_FLIGHT = "the same question, typed differently, was still in flight: only identical requests share a call"
AFTER_FAULT = "the answer before failed or was cut off, so there was none to keep"
NO_REPLY = "no reply in the end: the provider failed it, and its retries"
OTHER = "other reasons"


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """``repeats``: requests whose question, in its normal form, was asked before: the most that can be hits.
    ``missed``: why some were none. Hits and missed together are the repeats."""

    requests: int
    repeats: int
    missed: dict[str, int]

    @property
    def highest(self) -> float:
        return self.repeats / self.requests if self.requests else 0.0


def ceiling(heard: Sequence[Heard], rules: Rules) -> Ceiling:
    """What the stream allowed, and what became of it, from the end of each request."""
    by_question: dict[int, list[Heard]] = {}
    for each in sorted(heard, key=lambda each: each.reply.began_s):
        by_question.setdefault(each.asking.question.number, []).append(each)
    missed: dict[str, int] = {}
    for asked in by_question.values():
        for each in _asked_again(asked):
            why = _why(each, asked, rules)
            missed[why] = missed.get(why, 0) + 1
    ordered = dict(sorted(missed.items(), key=lambda entry: -entry[1]))
    return Ceiling(requests=len(heard), repeats=len(heard) - len(by_question), missed=ordered)


def _asked_again(asked: Sequence[Heard]) -> Sequence[Heard]:
    """The provider must be asked once for each question. Every further time is one that a hit could have spared."""
    return [each for each in asked if not each.hit][1:]


def _why(each: Heard, asked: Sequence[Heard], rules: Rules) -> str:
    if each.reply.failure:
        return NO_REPLY
    if classify(each.asking.question.text, rules).ttl_s <= 0:
        return REALTIME
    before = [
        other for other in asked if other.kept and other is not each and other.reply.began_s <= each.reply.ended_s
    ]
    if any(other.reply.ended_s <= each.reply.began_s for other in before):
        return OTHER
    return IN_FLIGHT if before else AFTER_FAULT
