"""A call has ended badly: may the same target be asked again, may another one, and does it speak against the target?

Only what says that nothing was generated, or that the trouble is about to pass, is asked again: 408, 429, 500, 502, 503,
504, 529 and a connection that failed. A reply that timed out is not: it may be paid for already, and was slow before.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.decide import trouble
from pennyworth.decide.account import account_exhausted
from pennyworth.outcome import Outcome

Kind = Literal["none", "passing", "limited", "broken", "exhausted", "denied", "turned_away", "lasting"]


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with an outcome.

    Attributes:
        retry: the same target may be asked again. ``fall_back``: another target may do better.
        trips: it speaks against the target's health.
    """

    kind: Kind
    retry: bool = False
    fall_back: bool = False
    trips: bool = False


NONE = Fault("none")
PASSING = Fault("passing", retry=True, fall_back=True, trips=True)
LIMITED = Fault("limited", retry=True, fall_back=True)
BROKEN = Fault("broken", fall_back=True, trips=True)
EXHAUSTED = Fault("exhausted", fall_back=True)
DENIED = Fault("denied", fall_back=True)
TURNED_AWAY = Fault("turned_away", fall_back=True)
LASTING = Fault("lasting")
"""The request's own fault (a bad field, an unknown model): asked elsewhere it would be wrong as well."""

_RETRIED = frozenset([408, 500, 502, 503, 504, 529])
_LONGEST_ERROR = 400
_PASSING_WORDS = (b"overloaded", b"server_error", b"internal", b"unavailable", b"rate_limit", b"timeout", b"try again")


def judge(outcome: Outcome) -> Fault:
    """The fault of an outcome; ``NONE`` for a reply that can be given."""
    if (outcome.status == 200 and outcome.ending == "complete") or outcome.began:
        return NONE
    if outcome.ending in ("caller_left", "outrun"):
        return NONE
    status = outcome.status
    if outcome.broke in ("no_room", "resting", "unspeakable"):
        return TURNED_AWAY
    if status == 0:
        return PASSING if outcome.broke in ("connect", "reset") else BROKEN
    if status < 300:
        return _of_reply(outcome)
    if status in (402, 403, 429, 400) and account_exhausted(status, outcome.raw):
        return EXHAUSTED
    if status == 429:
        return LIMITED
    if status in _RETRIED:
        return PASSING
    if status in (401, 402, 403):
        return DENIED
    return BROKEN if status >= 500 or status < 400 else LASTING


def _of_reply(outcome: Outcome) -> Fault:
    """A success by its status: an error may have come as the first event, or nothing at all."""
    if outcome.streamed and outcome.ending == "error":
        if account_exhausted(429, outcome.raw):
            return EXHAUSTED
        at = max(outcome.raw.rfind(b'"error"'), 0)  # a response says its request back, words of any kind among it
        said = outcome.raw[at : at + _LONGEST_ERROR].lower()
        return PASSING if any(word in said for word in _PASSING_WORDS) else BROKEN
    if trouble.gives(outcome):
        return NONE
    return PASSING if outcome.broke == "reset" else BROKEN
