"""Server-sent events: cuts a byte stream of any cut into whole events, and reads an event's data.

WHATWG HTML §9.2: an event ends with a blank line; lines end with LF, CRLF or CR. Bytes are kept as they came.
"""

from __future__ import annotations

import re

_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\r\n\r(?!\n)|\n\r(?!\n)")
_LINES = re.compile(rb"\r\n|\n|\r")


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


def data_of(event: bytes) -> bytes:
    """The event's ``data``, lines joined by LF; ``b""`` for comments and events without data."""
    if event.startswith(b"data: ") and event.find(b"\n") >= len(event) - 2:  # one line, by far the most common
        return event[6:].rstrip(b"\n")
    lines = []
    for line in _LINES.split(event):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


DONE = event(b"[DONE]")
