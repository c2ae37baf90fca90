"""What uvicorn does not refuse by itself: slow, huge, ambiguous and malformed request heads (measured on uvicorn 0.54).

uvicorn has no header timeout and no limit on headers, with httptools it accepts two Host headers or none, takes
trailers for headers, and answers HTTP/1.0 in chunks. Each fault is answered with a 4xx that says why, after the replies
still owed on that connection, and the connection is closed. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pennyworth.plan import Limits
from pennyworth.server.http10 import close_delimited
from pennyworth.wire.problems import problem

WHOLE = "pennyworth.whole"
"""Set in an ASGI scope once the whole body is there, so that the door need not set a timer for it."""

BROKEN = "pennyworth.broken"
"""Set in an ASGI scope when the body cannot be read to its end: what is wrong with it, in words. The body then ends
where it broke, for the door to refuse."""

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}
_LINGER_S = 2.0
"""How long what a refused client still sends is read and dropped: closing at once would reset the connection, and the
reset may overtake the reply (RFC 9112 §9.6)."""

_ONCE = {
    b"host": "it is not clear who is asked",
    b"content-length": "it is not clear where the body ends",
    b"transfer-encoding": "it is not clear where the body ends",
    b"authorization": "it is not clear who asks",
    b"x-api-key": "it is not clear who asks",
}
"""Headers that decide who is asked, who asks or what is asked, so that two of them cannot be guessed between."""


def guarded(limits: Limits) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol under these limits."""

    class Guarded(GuardedProtocol):
        guard_limits = limits

    return Guarded


class _RefusalError(Exception):
    """Raised in a callback of the parser, which stops at it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class GuardedProtocol(HttpToolsProtocol):
    """One connection. It is in a head, in a body, or between two requests (``_in_head`` and ``_in_body`` both false)."""

    guard_limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._framing_bytes = 0
        self._refused = False
        self._owed: _RefusalError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._application = self.app

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(self.guard_limits.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self._owed is not None:
            return
        self._unset_keepalive_if_required()
        if self._in_body:
            self._framing_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self._parse(data)
            self._check_sizes()
            self._await_rest()
        except _RefusalError as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            inner = error.__context__
            self._refuse(inner if isinstance(inner, _RefusalError) else _malformed(error, data))

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse(self._head_without_upgrade() + data[int(upgrade.args[0]) :])

    def _head_without_upgrade(self) -> bytes:
        """The head just read, as if no other protocol had been asked for, which RFC 9110 §7.8 allows; for a parser that
        would take the body for that protocol. (Java's client and curl --http2 ask for h2c in their first request.)"""
        kept = [pair for pair in self.headers if pair[0] not in (b"connection", b"upgrade", b"http2-settings")]
        version = self.parser.get_http_version().encode()
        start = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)
        lines = [start, *(b"%s: %s" % pair for pair in kept)]
        self.parser = httptools.HttpRequestParser(self)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # a trailer is dropped: nothing we read belongs there, and it must not pass for a header
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._disarm()
        self._check()
        if self.parser.should_upgrade():
            self._check_upgrade()
            return
        self.app = close_delimited(self) if self.parser.get_http_version() == "1.0" else self._application
        super().on_headers_complete()
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._in_body:
            return  # of a head that is read once more
        self._in_body = False
        cast(dict[str, Any], self.scope)[WHOLE] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._owed is not None and not self._busy():
            self._answer(self._owed)

    def _busy(self) -> bool:
        """A reply is owed on this connection."""
        return self.cycle is not None and not self.cycle.response_complete

    def _check_sizes(self) -> None:
        """Asked after parsing, when what has gone into a body no longer counts as head or framing."""
        most = self.guard_limits.max_header_bytes
        if self._in_body:
            if self._framing_bytes > most:
                raise _RefusalError(431, f"The trailers or chunk extensions are larger than {most} bytes.")
        elif self._head_bytes > most:
            raise _RefusalError(431, f"The request head is larger than {most} bytes.")

    def _check(self) -> None:
        """Refuses a head that is too large, or that two readers could understand in two ways."""
        limits, headers = self.guard_limits, self.headers
        size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in headers])
        if size > limits.max_header_bytes or len(headers) > limits.max_headers:
            most = f"At most {limits.max_headers} headers and {limits.max_header_bytes} bytes of them are read."
            raise _RefusalError(431, f"{most} Send fewer, or ask the operator to raise limits.max_header_bytes.")
        names = [name for name, _ in headers]
        if len(set(names)) != len(names):
            _refuse_doubles(names)
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _RefusalError(400, f"The request is in HTTP/{version}. Let your client use HTTP/1.1.")
        if b"host" not in names and version == "1.1":
            raise _RefusalError(400, "The Host header is missing (RFC 9112 §3.2). Send one.")
        if b"transfer-encoding" in names:
            self._check_coding(dict(headers)[b"transfer-encoding"])

    def _check_coding(self, coding: bytes) -> None:
        if coding.strip().lower() != b"chunked":
            raise _RefusalError(400, "Transfer-Encoding may only be chunked. Send the body plain.")

    def _check_upgrade(self) -> None:
        """CONNECT is an upgrade that cannot be passed over: it has no other meaning."""
        if self.parser.get_method() == b"CONNECT":
            proxy = "The gateway is no proxy. Make it your client's base URL, and leave HTTPS_PROXY alone."
            raise _RefusalError(400, proxy)

    def _await_rest(self) -> None:
        """A head that came only in part has a deadline. One that came at once, as nearly all do, needs no timer."""
        if self._timer is None and not self._in_body and (self._in_head or self._head_bytes):
            self._arm(self.guard_limits.header_timeout_s)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._in_head:
            limit = self.guard_limits.header_timeout_s
            self._refuse(
                _RefusalError(
                    408, f"The request head did not come within limits.header_timeout ({limit:g} s). Send it at once."
                )
            )
        elif not self._busy():
            self.transport.close()  # nothing was asked, or it has been answered: no reply is expected

    def _refuse(self, refusal: _RefusalError) -> None:
        """Answers at once; where replies are owed, after them, for another order would give one caller's to another."""
        self._disarm()
        if self._in_body:
            self._break(refusal)
        elif self._busy():
            self._owed = refusal
        else:
            self._answer(refusal)

    def _break(self, refusal: _RefusalError) -> None:
        """The body is at fault: the door has its head, and says so in its turn."""
        self._refused = True
        cast(dict[str, Any], self.cycle.scope)[BROKEN] = refusal.message
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _answer(self, refusal: _RefusalError) -> None:
        """Written past uvicorn, which has no request to answer."""
        self._refused = True
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        body = problem(refusal.status, refusal.message, code="bad_request_head")
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (refusal.status, _REASONS[refusal.status], len(body))
            + body
        )
        self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.close)


def _refuse_doubles(names: list[bytes]) -> None:
    for name, doubt in _ONCE.items():
        if names.count(name) > 1:
            raise _RefusalError(400, f"Two {name.decode().title()} headers: {doubt}. Send one.")


def _malformed(error: httptools.HttpParserError, data: bytes) -> _RefusalError:
    """What is wrong, in the parser's words, which never quote the request."""
    if data[:2] == b"\x16\x03":
        return _RefusalError(400, "This is TLS, and the gateway speaks plain HTTP here. Use http:// as base URL.")
    if data[:4] == b"PRI ":
        return _RefusalError(400, "This is HTTP/2, and the gateway speaks HTTP/1.1. Let your client use that.")
    if isinstance(error, httptools.HttpParserInvalidURLError | httptools.HttpParserCallbackError):
        words = "the request target cannot be read"
    else:
        words = str(error) or "it cannot be read"
    return _RefusalError(400, f"This is not valid HTTP: {words.rstrip('.')}. Check what your client or proxy sends.")
