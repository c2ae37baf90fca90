"""A target that fails again and again is left alone for a while, then tried by one request before all others.

Failures in a row count, not their share: a provider that answers every other call is worth asking twice.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.plan import Persistence

_LONGEST_REST_S = 60.0
_EXHAUSTED_REST_S = 300.0
"""An account without money is looked at again so often: somebody may have paid."""


class Breaker(msgspec.Struct, frozen=True):
    """The health of one target.

    Attributes:
        failures: in a row. ``rests``: how often in a row it was laid to rest. ``until_s``: monotonic; 0 = in use.
        probing: one request is finding out. ``why``: what it rests for.
    """

    failures: int = 0
    rests: int = 0
    until_s: float = 0.0
    probing: bool = False
    why: Literal["", "failing", "exhausted"] = ""

    @property
    def resting(self) -> bool:
        return self.until_s > 0


WELL = Breaker()


def wait_s(breaker: Breaker, now_s: float) -> float:
    """How long the target is still to be left alone; 0 where it may be asked, be it as a probe."""
    if not breaker.resting:
        return 0.0
    left = breaker.until_s - now_s
    return max(left, 1.0) if left > 0 or breaker.probing else 0.0


def asking(breaker: Breaker) -> Breaker:
    """A request goes out: in a rest that is over, it is the probe."""
    return msgspec.structs.replace(breaker, probing=True) if breaker.resting else breaker


def answered(breaker: Breaker) -> Breaker:
    return WELL


def failed(breaker: Breaker, persistence: Persistence, now_s: float) -> Breaker:
    if breaker.resting and not breaker.probing:
        return breaker  # it was under way when the rest began, and says nothing new
    failures = breaker.failures + 1
    if breaker.resting or failures >= persistence.trip_after:
        rest = min(persistence.rest_s * 2**breaker.rests, max(_LONGEST_REST_S, persistence.rest_s))
        return Breaker(failures, min(breaker.rests + 1, 16), now_s + rest, why="failing")
    return Breaker(failures)


def exhausted(breaker: Breaker, now_s: float) -> Breaker:
    return Breaker(breaker.failures, breaker.rests, now_s + _EXHAUSTED_REST_S, why="exhausted")


def unknown(breaker: Breaker) -> Breaker:
    """The request ended without saying anything about the target: another one may be the probe."""
    return msgspec.structs.replace(breaker, probing=False) if breaker.probing else breaker
