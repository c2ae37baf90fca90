"""How many calls a target takes at once, learnt from what it says: additive increase, multiplicative decrease.

A provider's rate limit is unknown until a 429 or a header names it. Each 429 cuts the number of calls at once; each
success at the limit raises it again. Callers queue meanwhile. A 429 to one of many calls says that there were too many at
once, and the others go on; one that comes at so few as were allowed after a cut says that there are too many a minute, and
then new calls are held back for as long as the provider asks.
"""

from __future__ import annotations

import math

import msgspec

_CUT = 0.8
_FEW = 2
"""With so few calls under way their number is not what was refused."""

_LEAST_HOLD_S = 0.25
"""After a 429 without ``Retry-After``."""


class Pace(msgspec.Struct, frozen=True):
    """``limit``: calls at once. ``hold_until_s``: none goes out before (monotonic). ``cut_at_s``: of the last cut, which
    was down to ``cut_to`` calls."""

    limit: float = math.inf
    hold_until_s: float = 0.0
    cut_at_s: float = -math.inf
    cut_to: float = 0.0


def limited(pace: Pace, under_way: int, asked_s: float | None, longest_s: float, now_s: float, sent_s: float) -> Pace:
    """A 429 came to a call that was sent at ``sent_s``. One burst of them is one cut."""
    if sent_s <= pace.cut_at_s:
        return pace
    hold_until_s = pace.hold_until_s
    if under_way <= max(_FEW, pace.cut_to):
        hold_until_s = max(hold_until_s, now_s + min(max(asked_s or 0.0, _LEAST_HOLD_S), longest_s))
    limit = max(1.0, min(pace.limit, float(under_way)) * _CUT)
    return Pace(limit, hold_until_s, now_s, limit)


def succeeded(pace: Pace, under_way: int) -> Pace:
    """Grows by one call for each round of successes, and only where the limit was felt."""
    if pace.limit == math.inf or under_way < pace.limit * 0.8:
        return pace
    return msgspec.structs.replace(pace, limit=pace.limit + 1.0 / pace.limit)


def drained(pace: Pace, until_s: float) -> Pace:
    """The headers say that nothing is left until then."""
    return msgspec.structs.replace(pace, hold_until_s=max(pace.hold_until_s, until_s))
