"""What comes in at the public door: headers and body within limits, and the ``Request`` made of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from cachebox import LRUCache

from pennyworth.errors import RequestError
from pennyworth.plan import Limits, Plan
from pennyworth.request import Caller, Request
from pennyworth.server.guard import BROKEN, WHOLE
from pennyworth.wire import chat

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class CallerLeftError(Exception):
    """The connection went before the body had come."""


class Reader:
    """Reads requests, and remembers the last small ones: applications send the same bytes again and again, and a
    ``Request`` is a value that depends on nothing but those bytes, these headers and the caller."""

    _LARGEST = 4096
    _MOST = 1024

    def __init__(self, plan: Plan) -> None:
        self._vary = plan.cache.vary_headers
        self._max_depth = plan.limits.max_depth
        self._named = ("cache-control", chat.TAGS_HEADER, *self._vary)
        self._known: LRUCache[tuple[bytes, Caller, tuple[str | None, ...]], Request] = LRUCache(self._MOST)

    def read(self, body: bytes, headers: dict[str, str], caller: Caller) -> Request:
        if len(body) > self._LARGEST:
            return chat.read_request(body, headers, caller, vary=self._vary, max_depth=self._max_depth)
        name = (body, caller, tuple(map(headers.get, self._named)))
        request = self._known.get(name)
        if request is None:
            request = chat.read_request(body, headers, caller, vary=self._vary, max_depth=self._max_depth)
            self._known.insert(name, request)
        return request


def read_headers(pairs: Collection[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-cased name; several of one name are one list (RFC 9110 §5.3)."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) != len(pairs):  # rare: the comprehension has kept the last of each name
        for name in headers:
            headers[name] = ", ".join(value.decode("latin-1") for raw, value in pairs if raw.decode("latin-1") == name)
    return headers


async def read_body(scope: Scope, headers: dict[str, str], receive: Receive, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        RequestError: 413, too large; 408, too slow; 415, compressed; 400, broken off.
        CallerLeftError: the caller left before its end.
    """
    coding = headers.get("content-encoding", "identity")
    if coding.lower() not in ("identity", ""):
        raise RequestError(
            f"The body comes with Content-Encoding {coding[:40]!a}. Send it uncompressed.",
            status=415,
            code="unsupported_encoding",
        )
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    if WHOLE in scope:
        return await _collect(receive, limits.max_body_bytes)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            body = await _collect(receive, limits.max_body_bytes)
    except TimeoutError:
        raise RequestError(
            f"The body did not come within limits.body_timeout ({limits.body_timeout_s:g} s). "
            "Send it faster, or ask the operator to raise it.",
            status=408,
            code="body_timeout",
        ) from None
    if BROKEN in scope:
        raise RequestError(scope[BROKEN], code="broken_body")
    return body


async def drop_body(receive: Receive, within_s: float) -> None:
    """Reads on for a while and keeps nothing: until the body ends, the caller leaves or the time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while (await receive()).get("more_body"):
                pass


async def _collect(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeftError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join([*parts, part]) if parts else bytes(part)
        parts.append(part)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"The body is larger than limits.max_body_bytes ({limit}). Send less, or ask the operator to raise it.",
        status=413,
        code="body_too_large",
    )
