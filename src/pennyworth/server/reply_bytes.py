"""Replies as HTTP/1.1 bytes: status line, headers, framing (RFC 9112)."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus

from pennyworth.engine.passage import Reply

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_CLOSE = b"connection: close\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_STATUS_LINES = {status: b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"")) for status in range(100, 1000)}


class Dating:
    """The ``date`` header, made anew once a second (RFC 9110 §6.6.1)."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def line(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = b"date: %b\r\n" % formatdate(second, usegmt=True).encode()
        return self._line


def whole(reply: Reply, date: bytes, *, last: bool, body: bool = True) -> bytes:
    """A reply of known length. ``last``: the connection ends with it. ``body`` is left out of the answer to a HEAD."""
    parts = [_STATUS_LINES[reply.status], date]
    parts += [b"%b: %b\r\n" % header for header in reply.headers]
    if reply.status != 204 and (body or not _says_length(reply)):  # a 204 may not state one (RFC 9110 §8.6)
        parts.append(b"content-length: %d\r\n" % len(reply.body))
    if last:
        parts.append(_CLOSE)
    parts.append(b"\r\n")
    if body:
        parts.append(reply.body)
    return b"".join(parts)


def _says_length(reply: Reply) -> bool:
    """Of what a GET would bring, in the answer to a HEAD."""
    return any(name == b"content-length" for name, _ in reply.headers)


def head(reply: Reply, date: bytes, *, last: bool, chunks: bool) -> bytes:
    """The head of a reply whose length is not known: it comes in chunks, or ends with the connection."""
    parts = [_STATUS_LINES[reply.status], date]
    parts += [b"%b: %b\r\n" % header for header in reply.headers]
    if chunks:
        parts.append(_CHUNKED)
    if last or not chunks:
        parts.append(_CLOSE)
    parts.append(b"\r\n")
    return b"".join(parts)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
