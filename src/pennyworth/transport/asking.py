"""An HTTP client's request as the public door reads it, and the door's reply as an HTTP client wants it.

Of the address only what follows ``/v1`` counts: who is asked is the configuration's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from pennyworth.engine.passage import Reply
from pennyworth.server.asked import Asked
from pennyworth.server.request_head import Head
from pennyworth.wire.asking import TIMEOUT_HEADERS

Pairs = Sequence[tuple[bytes, bytes]]

_REQUEST_IDS = (b"x-request-id", b"request-id")
"""As the SDKs of OpenAI and Anthropic read them: what ``reply._request_id`` is made of."""

_GRACE_S = 2.0
"""The engine ends a request by its caller's own deadline, with a status and a receipt; only if it does not, we do."""


class Patience(msgspec.Struct, frozen=True):
    """How long the caller waits for the reply to begin, and for each part of it; ``None``: as long as it takes."""

    head_s: float | None
    part_s: float | None


def patience(extensions: Mapping[str, Any]) -> Patience:
    """By the client's own timeout for reading."""
    read_s = (extensions.get("timeout") or {}).get("read")
    return Patience(None, None) if read_s is None else Patience(read_s + _GRACE_S, read_s)


def asked(method: str, target: bytes, pairs: Pairs, body: bytes, waits: Patience, secret: str) -> Asked:
    """``target``: path and query. ``secret``: the client key to ask with instead of what the SDK sends, if any."""
    headers = _headers(pairs)
    if secret:
        headers.pop("x-api-key", None)
        headers["authorization"] = f"Bearer {secret}"
    if waits.part_s is not None and not any(name in headers for name in TIMEOUT_HEADERS):
        headers[TIMEOUT_HEADERS[0]] = f"{waits.part_s:g}"
    path, _, query = target.partition(b"?")
    escaped = _below_v1(path.decode("ascii"))
    head = Head(
        method=method,
        path=unquote(escaped),
        escaped=escaped,
        query=query,
        headers=headers,
        chunks=True,
        keep_alive=True,
        length=len(body),
    )
    return Asked(head, body)


def named(reply: Reply) -> list[tuple[bytes, bytes]]:
    """The reply's headers, in which its receipt stands for the request's id, so that a parsed reply leads to it. The
    provider's own id is on the receipt."""
    receipt = next((value for name, value in reply.headers if name == b"x-pennyworth-receipt"), b"")
    headers = [header for header in reply.headers if header[0] not in _REQUEST_IDS] if receipt else list(reply.headers)
    if receipt:
        headers += [(name, receipt) for name in _REQUEST_IDS]
    if not reply.more:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    return headers


def _headers(pairs: Pairs) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.lower().decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _below_v1(path: str) -> str:
    at = path.find("/v1/")
    return path[at:] if at > 0 else path
