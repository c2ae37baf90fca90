"""Server-sent events: cuts a byte stream of any cut into whole events, and reads an event's data.

WHATWG HTML §9.2: an event ends with a blank line; lines end with LF, CRLF or CR. Bytes are kept as they came.
"""

from __future__ import annotations

import re

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_SEAM = 3
"""A blank line is four bytes at most, so that three of them may have come before."""
_LINES = re.compile(rb"\r\n|\n|\r")
_NAMED = re.compile(rb"event: ([^\r\n]*)\ndata: ([^\r\n]*)\n\n").fullmatch
_PLAIN = (b":", b"data", b"event", b"id", b"retry")
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """``feed`` bytes cut anywhere; it returns the events completed by them, terminators included.

    ``rest`` is the tail that waits for its end, ``waiting`` its length.
    """

    __slots__ = ("_pieces", "_tail", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._pieces: list[bytes] = []
        self._tail = b""

    @property
    def rest(self) -> bytes:
        return b"".join(self._pieces)

    def feed(self, data: bytes) -> list[bytes]:
        if self._pieces:
            # Only where an event may end is what waits looked at again: a long one in small pieces is read once.
            seam = self._tail + data
            if not (_BLANK.search(seam) if b"\r" in seam else b"\n\n" in seam):
                self._pieces.append(data)
                self._tail = seam[-_SEAM:]
                self.waiting += len(data)
                return []
            data = b"".join((*self._pieces, data))
        if b"\r" in data:
            return self._feed_any(data)
        parts = data.split(b"\n\n")
        self._keep(parts.pop())
        return [part + b"\n\n" for part in parts]

    def _keep(self, rest: bytes) -> None:
        self._pieces = [rest] if rest else []
        self._tail = rest[-_SEAM:]
        self.waiting = len(rest)

    def _feed_any(self, buffer: bytes) -> list[bytes]:
        events, start = [], 0
        # A trailing CR may be the first half of a CRLF: leave it for the next feed.
        usable = len(buffer) - 1 if buffer.endswith(b"\r") else len(buffer)
        for match in _BLANK.finditer(buffer, 0, usable):
            events.append(buffer[start : match.end()])
            start = match.end()
        self._keep(buffer[start:])
        return events


def read(event: bytes) -> tuple[bytes, bytes]:
    """The event's type (its ``event`` field, mostly absent) and its data, lines joined by LF; each may be ``b""``."""
    # One line of data and a blank one, with the type before it in some dialects: by far the most common.
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return b"", event[6:-2]
    if event.startswith(b"event: ") and (named := _NAMED(event)):
        return named[1], named[2]
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
