"""A provider failed before it said anything: what does the caller read, and is asking again worth while?"""

from __future__ import annotations

import msgspec

from pennyworth.outcome import Outcome
from pennyworth.plan import Target


class Trouble(msgspec.Struct, frozen=True):
    """A failure in words. ``body`` is the provider's own error where it says more than we could."""

    status: int
    code: str
    message: str
    body: bytes = b""


def failed(outcome: Outcome) -> bool:
    """The provider gave nothing of use, for a reason that may pass: no answer, a broken one, or an overload."""
    return outcome.ending == "cut" or (
        outcome.ending == "error" and (outcome.status in (0, 408, 429) or outcome.status >= 500)
    )


def explain(outcome: Outcome, target: Target) -> Trouble:
    """What to tell the caller of a failed call to ``target``."""
    provider = target.provider
    if outcome.status == 401 and not provider.forward_caller:
        return Trouble(
            401,
            "upstream_authentication",
            f"{target.name} refused our credential ({provider.key_source or 'no key configured'}): "
            f"a wrong or revoked key, a key that already begins with 'Bearer ', or a base URL of another company "
            f"({provider.base_url}). Check providers.{provider.name}.",
        )
    if outcome.status >= 400:
        return Trouble(outcome.status, "upstream_error", f"{target.name} answered {outcome.status}.", outcome.raw)
    if outcome.status == 0:
        status = 504 if "timed out" in outcome.fault else 502
        return Trouble(status, "upstream_unreachable", f"{target.name} could not be asked: {outcome.fault}.")
    return Trouble(502, "upstream_broken", f"{target.name} sent no usable reply: {outcome.fault}.")
