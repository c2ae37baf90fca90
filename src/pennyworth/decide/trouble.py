"""A provider failed before it said anything: what does the caller read, and is asking again worth while?"""

from __future__ import annotations

import msgspec

from pennyworth.decide.not_found import not_found
from pennyworth.outcome import Outcome
from pennyworth.plan import Target

_NOT_ASKED = {
    "no_room": (429, "overloaded"),
    "resting": (503, "upstream_resting"),
    "unspeakable": (400, "cannot_translate"),
}
"""Why a call was not made -> status and code. The first two come with ``Retry-After``."""


class Trouble(msgspec.Struct, frozen=True):
    """A failure in words. ``body`` is the provider's own error where it says more than we could."""

    status: int
    code: str
    message: str
    body: bytes = b""


def gives(outcome: Outcome) -> bool:
    """There is a reply to give. A JSON body that came whole is passed on however odd it is: a direct caller would have
    got it too. A stream that did not end as streams end is not: its reader could take the part for the whole."""
    if not 200 <= outcome.status < 300 or outcome.ending == "caller_left":
        return False
    return outcome.ending != "cut" or (outcome.whole and not outcome.streamed)


def failed(outcome: Outcome) -> bool:
    """The provider gave nothing of use, for a reason that may pass: no answer, a broken one, or an overload."""
    if outcome.status in (0, 402, 408, 429) or outcome.status >= 500:
        return True
    if outcome.streamed and outcome.ending == "error" and not outcome.began:
        return True
    return outcome.ending == "cut" and not gives(outcome)


def given_up(outcome: Outcome, target: Target) -> bool:
    """The call failed, and was made as often as its operator thinks wise. Were its caller to ask again by himself, as the
    SDKs do, the two would multiply: three times three calls. Where the operator has one call made, or none was made, that
    is the caller's to say."""
    return not gives(outcome) and outcome.broke not in _NOT_ASKED and target.provider.persistence.tries > 1


def status_of(outcome: Outcome) -> int:
    """The HTTP status for a caller who has not been given anything yet."""
    if outcome.status >= 400:
        return outcome.status
    if outcome.broke in _NOT_ASKED:
        return _NOT_ASKED[outcome.broke][0]
    return 504 if "timed out" in outcome.fault else 502


def explain(outcome: Outcome, target: Target) -> Trouble:
    """What to tell the caller of a failed call to ``target``."""
    provider, status = target.provider, status_of(outcome)
    if outcome.status in (401, 403) and not provider.forward_caller:
        return Trouble(
            status,
            "upstream_authentication",
            f"{target.name} refused our credential with {status} ({provider.key_source or 'no key configured'}): "
            f"a wrong or revoked key, one that may not use this model, one that already begins with 'Bearer ' or is to be "
            f"shown in another way than auth = {provider.auth}, or a base URL of another company ({provider.base_url}). "
            f"Check providers.{provider.name}.",
        )
    if outcome.status == 404 and (told := not_found(provider.credential.struck_from(outcome.raw), target)):
        return Trouble(status, *told)
    if outcome.status >= 400:
        body = provider.credential.struck_from(outcome.raw)  # some providers quote the request they refuse
        return Trouble(status, "upstream_error", f"{target.name} answered {status}.", body)
    if outcome.status >= 300:
        return Trouble(
            status,
            "upstream_redirect",
            f"{target.name} answered {outcome.status}, a redirect, which is not followed: a credential belongs to one "
            f"host. Check providers.{provider.name}.base_url = {provider.base_url}.",
        )
    if outcome.broke in _NOT_ASKED:
        return Trouble(status, _NOT_ASKED[outcome.broke][1], f"{target.name} was not asked: {outcome.fault}.")
    if outcome.status == 0:
        return Trouble(status, "upstream_unreachable", f"{target.name} gave no reply: {outcome.fault}.")
    return Trouble(status, "upstream_broken", f"The reply of {target.name} was not completed: {outcome.fault}.")
