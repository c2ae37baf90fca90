"""Is this the request that was sent before under the same ``Idempotency-Key``, and is what became of it its result?

Stripe's rules (https://docs.stripe.com/api/idempotent_requests): the first result is given again, also a failure of the
provider's; another body under the same key is refused; what was refused before anything was done is not remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

from pennyworth import canonical
from pennyworth.decide import trouble
from pennyworth.decide.admit import Refuse
from pennyworth.mac import Mac
from pennyworth.outcome import AttemptNote, Outcome
from pennyworth.request import Request

_UNTOUCHED = frozenset([503, 529])
"""With these a provider says that it has not taken the request (RFC 9110 §15.6.4). Every 4xx says so too."""

OTHER_BODY = Refuse(
    422,
    "idempotency_key_reused",
    "This Idempotency-Key was used for another request. Send the same body again, or use a new key for a new request.",
)
IN_PROGRESS = Refuse(
    409,
    "idempotency_in_progress",
    "The request with this Idempotency-Key is under way. Ask again in a moment; it is not made a second time.",
    retry_after_s=1,
)
UNKNOWN = Refuse(
    409,
    "outcome_unknown",
    "The request with this Idempotency-Key was made, and what became of it is not known: the gateway was stopped in "
    "between. It may have been paid for, so it is not made again. Use a new key to make it anew.",
)
NOT_KEPT = Refuse(
    409,
    "idempotency_result_not_kept",
    "The request with this Idempotency-Key was made, and its reply was too large to keep or has been cleared away. It "
    "is not made again. Use a new key to make it anew.",
)
UNAVAILABLE = Refuse(
    503,
    "idempotency_unavailable",
    "It cannot be seen whether the request with this Idempotency-Key was made before, so it is not made now. Ask again, "
    "or leave the key out.",
    retry_after_s=1,
)


def row_key(mac: Mac, request: Request) -> bytes:
    """Who asked, and the key they chose: two callers who choose the same one never meet."""
    caller = request.caller
    return mac(canonical.encode(["key", request.dialect, caller.scope, caller.client, request.once]))


def body_seal(mac: Mac, request: Request) -> bytes:
    """Of everything that is forwarded. Spaces and the order of fields do not count, where the body can be written down
    without ambiguity; else every byte does."""
    head = canonical.encode(["body", request.dialect, request.vary])
    if not request.unkeyed:
        try:
            return mac(head + canonical.encode(request.fields))
        except (ValueError, TypeError, RecursionError):
            pass
    return mac(head + b"\0" + request.body)


def is_result(outcome: Outcome, attempts: Sequence[AttemptNote]) -> bool:
    """Whether this is the one result of the request: something was given, or may have been paid for. What is none may
    be asked for again."""
    return trouble.gives(outcome) or any(may_be_paid(attempt) for attempt in attempts)


def may_be_paid(attempt: AttemptNote) -> bool:
    """A call is free where the provider was not reached, or said that it did nothing. Of one that broke off on the way
    nobody knows."""
    if attempt.spent:
        return True
    if attempt.status == 0:
        return attempt.broke != "connect"
    return not (400 <= attempt.status < 500 or attempt.status in _UNTOUCHED)
