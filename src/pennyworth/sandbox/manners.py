"""What a provider shows beside the body: headers, how it asks for a key, and the shape of its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from pennyworth.sandbox.ask import SERVER_ERROR, RefusedError
from pennyworth.sandbox.status import body_of

Headers = Iterable[tuple[bytes, bytes]]


class Manner(NamedTuple):
    """A provider's.

    Attributes:
        always: headers of every reply. ``id_header``: the one that holds the request's id.
        credential: what a request shows, "" for nothing; raises ``RefusedError`` where another header is missing.
        no_key, wrong_key: the refusals of a request without a key, and of one with a key that is not accepted.
        refused: the body of a refusal. ``failed``: that of an error of this status. ``broke``: of one in a whole reply.
    """

    always: tuple[tuple[bytes, bytes], ...]
    id_header: bytes
    credential: Callable[[Headers], str]
    no_key: Callable[[], RefusedError]
    wrong_key: Callable[[str], RefusedError]
    refused: Callable[[RefusedError], bytes]
    failed: Callable[[int], bytes]
    broke: bytes


def header(headers: Headers, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


OPENAI = Manner(
    always=((b"x-sandbox", b"true"), (b"openai-version", b"2020-10-01"), (b"openai-organization", b"sandbox")),
    id_header=b"x-request-id",
    credential=lambda headers: header(headers, b"authorization"),
    no_key=lambda: RefusedError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    ),
    wrong_key=lambda key: RefusedError(401, f"Incorrect API key provided: {key[:3]}***.", code="invalid_api_key"),
    refused=lambda refused: refused.body,
    failed=body_of,
    broke=SERVER_ERROR,
)

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SENTENCES: Mapping[int, str] = {
    400: "Invalid request (simulated).",
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "model: not found",
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    504: "Request timed out",
    529: "Overloaded",
}


def anthropic_error(status: int, message: str) -> bytes:
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def _anthropic_credential(headers: Headers) -> str:
    if not header(headers, b"anthropic-version"):
        raise RefusedError(400, "anthropic-version: header is required")
    return header(headers, b"x-api-key") or header(headers, b"authorization")


ANTHROPIC = Manner(
    always=((b"x-sandbox", b"true"), (b"anthropic-organization-id", b"sandbox")),
    id_header=b"request-id",
    credential=_anthropic_credential,
    no_key=lambda: RefusedError(401, "x-api-key header is required"),
    wrong_key=lambda key: RefusedError(401, "invalid x-api-key"),
    refused=lambda refused: anthropic_error(refused.status, str(refused)),
    failed=lambda status: anthropic_error(status, _SENTENCES.get(status, f"Simulated error {status}.")),
    broke=anthropic_error(529, "Overloaded"),
)
