"""Which receipt does a reply bear? A parsed reply, a raw response, a stream or an error of an SDK, or the id itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADER = "x-pennyworth-receipt"


def receipt_id(reply: object) -> str:
    """Raises ``LookupError``."""
    found = reply if isinstance(reply, str) else _of_headers(reply) or _of_parsed(reply)
    if not found:
        raise LookupError(
            f"{type(reply).__name__} bears no receipt. Give what the SDK returned for a call through this Pennyworth: the "
            f"parsed reply, its raw response, the stream, the error; or the id in the header {_HEADER}."
        )
    return found


def _of_headers(reply: Any) -> str:
    """Raw responses have headers; streams and errors have the response they came with; a message of LangChain has them
    among what it tells of itself, where ``include_response_headers`` was asked for."""
    told: Mapping[str, Any] = getattr(reply, "response_metadata", None) or {}
    for bearer in (reply, getattr(reply, "response", None)):
        headers = getattr(bearer, "headers", None) or told.get("headers")
        if headers is not None and (found := headers.get(_HEADER)):
            return str(found)
    return ""


def _of_parsed(reply: Any) -> str:
    """The SDKs keep the request's id with what they parse, and at this door that is the receipt's."""
    found = getattr(reply, "_request_id", None)
    return found if isinstance(found, str) and found.startswith("r-") else ""
