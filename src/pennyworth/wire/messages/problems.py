"""Errors in the caller's dialect: Anthropic's ``{"type": "error", "error": {type, message}}``, as a body or as an event.

It has no place for a code and a field's name, which people look for: both stand at the end of the message. Programs find
them beside it, where Anthropic's SDKs look past them.
"""

from __future__ import annotations

import json

import msgspec

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""platform.claude.com, "Errors"."""

_OWN_TYPES = {"insufficient_quota": "billing_error"}


def problem(status: int, message: str, *, code: str = "", param: str | None = None) -> bytes:
    """The body of an error reply. The official SDKs choose their exception class by the status."""
    kind = _OWN_TYPES.get(code) or _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    places = [f"{label}: {value}" for label, value in (("code", code), ("field", param)) if value]
    error = {"type": kind, "message": f"{message} ({', '.join(places)})" if places else message}
    error |= {label: value for label, value in (("code", code), ("param", param)) if value}
    body = {"type": "error", "error": error}
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # somebody quoted half a character: the error must get through all the same
        return json.dumps(body).encode()


def problem_event(status: int, message: str, *, code: str = "") -> bytes:
    """The same as an event, for a stream that has begun. The SDKs raise ``APIStatusError`` on it."""
    return b"event: error\ndata: " + problem(status, message, code=code) + b"\n\n"
