"""Errors in the caller's dialect: OpenAI's ``{"error": {message, type, param, code}}``, as a body or as an event."""

from __future__ import annotations

import json

import msgspec

from pennyworth.wire.sse import event

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
}


_OWN_TYPES = {"insufficient_quota": "insufficient_quota"}
"""Codes for which OpenAI has a type of its own."""


def problem(status: int, message: str, *, code: str = "", param: str | None = None) -> bytes:
    """The body of an error reply. The official SDKs choose their exception class by the status."""
    kind = _OWN_TYPES.get(code) or _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": code or None}
    try:
        return msgspec.json.encode({"error": error})
    except UnicodeEncodeError:  # somebody quoted half a character: the error must get through all the same
        return json.dumps({"error": error}).encode()


def problem_event(status: int, message: str, *, code: str = "") -> bytes:
    """The same as an event, for a stream that has begun. The SDKs raise ``APIError`` on it."""
    return event(problem(status, message, code=code))
