"""What uvicorn does not refuse by itself: slow, huge and ambiguous request heads (measured on uvicorn 0.54).

uvicorn has no header timeout and no limit on headers, and with httptools it accepts two Host headers or none. Each is
answered with a 4xx that says why, and the connection is closed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pennyworth.plan import Limits
from pennyworth.wire.problems import problem

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


def guarded(limits: Limits) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol under these limits."""

    class Guarded(GuardedProtocol):
        guard_limits = limits

    return Guarded


class GuardedProtocol(HttpToolsProtocol):
    guard_limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._hosts = 0
        self._framings = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._await_head()
        super().data_received(data)
        # Checked after parsing: what has gone into a body is none of the head's bytes.
        if self._in_head and self._head_bytes > self.guard_limits.max_header_bytes:
            self._refuse(431, f"The request head is larger than {self.guard_limits.max_header_bytes} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hosts = self._framings = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        lowered = self.headers[-1][0]
        if lowered == b"host":
            self._hosts += 1
        elif lowered in (b"content-length", b"transfer-encoding"):
            self._framings += 1

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_waiting()
        problem = self._ambiguous()
        if problem is not None:
            self._refuse(*problem)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, f"{msg} The request line or a header is malformed.")

    def _ambiguous(self) -> tuple[int, str] | None:
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.guard_limits.max_header_bytes or len(self.headers) > self.guard_limits.max_headers:
            limits = self.guard_limits
            return 431, f"At most {limits.max_headers} headers and {limits.max_header_bytes} bytes of them are read."
        if self._hosts > 1:
            return 400, "Two Host headers: it is not clear who is asked. Send one."
        if self._hosts == 0 and self.parser.get_http_version() == "1.1":
            return 400, "The Host header is missing (RFC 9112 §3.2)."
        if self._framings > 1:
            return 400, "Content-Length and Transfer-Encoding together, or one of them twice: where does the body end?"
        return None

    def _await_head(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.guard_limits.header_timeout_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._head_bytes:
            self._refuse(408, f"The request head did not come within {self.guard_limits.header_timeout_s:g} s.")
        else:
            self.transport.close()  # a connection on which nothing was ever asked needs no answer

    def _refuse(self, status: int, message: str) -> None:
        """Answers at once and closes. Written past uvicorn, which has no request to answer yet."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        body = problem(status, message, code="bad_request_head")
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (status, _REASONS[status], len(body))
            + body
        )
        self.transport.close()
