"""When the target that a policy has chosen fails, the next in a chain is asked: before the reply begins, never after.

Every policy is run through here, so that none has to think of failures.
"""

from __future__ import annotations

from collections.abc import Sequence

from pennyworth.decide import fault
from pennyworth.plan import Target
from pennyworth.routing.steps import Send, Steps


def falling_back(steps: Steps, chain: Sequence[Target]) -> Steps:
    """The policy's own steps, then the chain's targets until one gives a reply.

    If none does, the outcome of the policy's choice stands: that is the failure the operator must know of.
    """
    outcome = None
    try:
        send = next(steps)
        while True:
            asked, seen = send.target.name, (yield send)
            outcome = seen.outcome
            send = steps.send(seen)
    except StopIteration as done:
        outcome = done.value or outcome
    assert outcome is not None
    found = fault.judge(outcome)
    if not found.fall_back:
        return outcome
    for target in chain:
        if target.name == asked:
            continue
        instead = yield Send(target, f"fallback: {asked} {_why(found.kind)}")
        if fault.judge(instead.outcome).kind == "none":
            return instead.outcome
    return outcome


def _why(kind: fault.Kind) -> str:
    return {
        "exhausted": "has no money left on its account",
        "denied": "refused our credential",
        "limited": "is at its rate limit",
        "turned_away": "is left alone for now or has no room",
    }.get(kind, "failed")
