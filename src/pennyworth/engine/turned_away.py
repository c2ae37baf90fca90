"""Calls that are not made: the target is left alone, takes no more at once, or nobody waits any longer. In words."""

from __future__ import annotations

import math

from pennyworth.decide import breaker
from pennyworth.decide.admit import Refuse
from pennyworth.engine.flight import Flight
from pennyworth.engine.health import Healths, TargetHealth, account_of
from pennyworth.engine.sending import Errand, Sent
from pennyworth.errors import RequestError, UpstreamFault
from pennyworth.outcome import Outcome
from pennyworth.plan import Target


def left_alone(healths: Healths, health: TargetHealth, errand: Errand, now_s: float) -> Sent | None:
    """The refusal, if the target or its account rests just now. In a rest that is over one call finds out."""
    target = errand.target
    if not health.breaker.resting:
        if not healths.accounts_rest:
            return None
        account = healths.account(account_of(target, errand.p.request.caller))
        wait = breaker.wait_s(account, now_s) if account.resting else 0.0
        if not wait:
            return None
        what = f"the account at {target.provider.name} has no money left"
        return _refused(target, "resting", wait, f"{what}; it is tried again in {math.ceil(wait)} s")
    wait = health.rest_s(now_s)
    if not wait:
        return None
    failures = f"{health.breaker.failures} calls in a row failed"
    return _refused(target, "resting", wait, f"{failures}; it is tried again in {math.ceil(wait)} s")


def no_room(target: Target, health: TargetHealth, now_s: float) -> Sent:
    held, seen = health.held_s(now_s), health.seen(now_s)
    if held:
        return _refused(target, "no_room", held, f"its rate limit is used up for another {held:.1f} s")
    what = f"{seen.under_way} calls are under way and {seen.waiting} wait"
    fix = f"providers.{target.provider.name}.calls bounds them: max_concurrency, max_waiting, wait"
    return _refused(target, "no_room", 1.0, f"{what} ({fix})")


def beyond_budget(target: Target, over: Refuse) -> Sent:
    """A further call would cost more than its caller's allowance holds."""
    return _refused(target, "no_room", 1.0, over.message)


def unspeakable(target: Target, error: RequestError) -> Sent:
    """It speaks no dialect that could carry the request."""
    return Sent(Outcome(ending="refused", status=0, fault=error.message, broke="unspeakable"), target)


def passed_over(target: Target, error: RequestError) -> str:
    """For the receipt: why a fallback was not asked. By the field alone: receipts hold nothing of what was said in it."""
    if error.code == "unsupported_dialect":
        return f"fallback: {target.name} was not asked, it speaks {', '.join(target.provider.dialects)} only"
    return f"fallback: {target.name} was not asked, its dialect has no words for {error.param}"


def left_waiting(target: Target, flight: Flight) -> Sent:
    """Cancelled before the call was made."""
    if flight.aborted:
        return Sent(Outcome(ending="cut", status=0, fault=flight.aborted, broke="cancelled"), target)
    return Sent(Outcome(ending="caller_left", status=0, fault="every caller left before the call was made"), target)


def _refused(target: Target, how: UpstreamFault, wait_s: float, why: str) -> Sent:
    retry_after = str(max(1, math.ceil(wait_s)))
    outcome = Outcome(ending="refused", status=0, fault=why, broke=how, retry_after=retry_after)
    return Sent(outcome, target, (("retry-after", retry_after),))
