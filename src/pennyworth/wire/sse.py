"""Server-sent events: cuts a byte stream of any cut into whole events, and reads an event's data.

WHATWG HTML §9.2: an event ends with a blank line; lines end with LF, CRLF or CR. Bytes are kept as they came.
"""

from __future__ import annotations

import re

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINES = re.compile(rb"\r\n|\n|\r")
_PLAIN = (b":", b"data", b"event", b"id", b"retry")
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """``feed`` bytes cut anywhere; it returns the events completed by them, terminators included. ``rest`` is the tail."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def rest(self) -> bytes:
        return self._buffer

    def feed(self, data: bytes) -> list[bytes]:
        buffer = self._buffer + data if self._buffer else data
        if b"\r" in buffer:
            return self._feed_any(buffer)
        parts = buffer.split(b"\n\n")
        self._buffer = parts.pop()
        return [part + b"\n\n" for part in parts]

    def _feed_any(self, buffer: bytes) -> list[bytes]:
        events, start = [], 0
        # A trailing CR may be the first half of a CRLF: leave it for the next feed.
        usable = len(buffer) - 1 if buffer.endswith(b"\r") else len(buffer)
        for match in _BLANK.finditer(buffer, 0, usable):
            events.append(buffer[start : match.end()])
            start = match.end()
        self._buffer = buffer[start:]
        return events


def read(event: bytes) -> tuple[bytes, bytes]:
    """The event's type (its ``event`` field, mostly absent) and its data, lines joined by LF; each may be ``b""``."""
    # One line of data and a blank one: by far the most common.
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return b"", event[6:-2]
    kind, data = b"", []
    for line in _LINES.split(event.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            kind = value.removeprefix(b" ")
    return kind, b"\n".join(data)


def data_of(event: bytes) -> bytes:
    """The event's data; ``b""`` for comments and events without data."""
    return read(event)[1]


def is_plain(event: bytes) -> bool:
    """Whether it consists of comments, fields and blank lines only."""
    return all(not line or line.startswith(_PLAIN) for line in _LINES.split(event))


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def with_data(whole: bytes, data: bytes) -> bytes:
    """The event with other data, its other fields first."""
    others = [line for line in _LINES.split(whole) if line and not line.startswith(b"data")]
    lines = [b"data: " + line for line in _LINES.split(data)]
    return b"\n".join([*others, *lines, b"", b""])


DONE = event(b"[DONE]")
