"""Errors by status, with the bodies providers send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from types import MappingProxyType

from pennyworth.sandbox.ask import error_body
from pennyworth.sandbox.faults import Rule

_DATE = re.compile(r"date([+-][0-9]{1,9})?")
_BODIES: Mapping[int, tuple[str, str, str | None]] = MappingProxyType(
    {
        400: ("Invalid request (simulated).", "invalid_request_error", "invalid_request"),
        401: ("Incorrect API key provided: san***.", "invalid_request_error", "invalid_api_key"),
        402: ("Insufficient Balance", "invalid_request_error", "insufficient_balance"),
        403: ("You are not allowed to sample from this model", "invalid_request_error", "access_denied"),
        404: ("The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"),
        429: ("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
        500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
        503: ("The engine is currently overloaded, please try again later", "server_error", "overloaded"),
        529: ("Overloaded", "overloaded_error", None),
    }
)


def body_of(status: int) -> bytes:
    message, kind, code = _BODIES.get(status, (f"Simulated error {status}.", "server_error", None))
    return error_body(message, kind=kind, code=code)


def retry_after_of(rule: Rule, now_s: float) -> str:
    """The header's value; ``date+5`` is the HTTP date (RFC 9110 §5.6.7) five seconds from now."""
    offset = _DATE.fullmatch(rule.retry_after)
    return formatdate(now_s + float(offset[1] or 0), usegmt=True) if offset else rule.retry_after
