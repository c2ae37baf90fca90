"""How much of what is left one worker may hold, and how a lease ends: the arithmetic that all backends share."""

from __future__ import annotations

from typing import NamedTuple

from pennyworth.ports import Bill, Standing

PARTS = 8
"""A worker is given at most this part of what is left, unless it needs more at once: the slices shrink with the rest."""

MOST = 2**62
"""Amounts are stored as 64-bit integers; a provider may report any usage, and no sum must overflow."""


class Lease(NamedTuple):
    """What one life of a worker holds of an account, what it has settled there so far, and since when it counts."""

    amount: int = 0
    settled: int = 0
    since_s: float = 0.0


def share_of(left: int, want: int, least: int) -> int:
    """What to grant of ``left``: 0 if it is less than ``least``."""
    if least > left:
        return 0
    return min(left, max(least, min(want, left // PARTS)))


def clamped(amount: int) -> int:
    """As much of a bill as can be added up."""
    return max(-MOST // 2, min(MOST // 2, amount))


def billed(standing: Standing, lease: Lease, bill: Bill) -> tuple[Standing, Lease]:
    """Account and lease after a bill."""
    used, back = clamped(bill.used), clamped(bill.back)
    amount = max(0, lease.amount - used - back)
    after = Lease(amount, min(MOST, lease.settled + used), lease.since_s)
    return Standing(min(MOST, standing.used + used), standing.leased + amount - lease.amount), after


def unsettled(lease: Lease, spent: int | None) -> int:
    """What a dead worker had used and not reported. ``spent``: all it spent there since it counted, by the books; where
    no books tell (requests, tokens), all it held: it concerns the current minute alone."""
    return lease.amount if spent is None else max(0, min(MOST, spent) - lease.settled)
