"""Events of a stream by the quickest way: one line of data, and at most its type before it, are nearly all there is."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pennyworth.wire import loose, sse

T = TypeVar("T")


def data_of(event: bytes) -> bytes:
    """``sse.data_of``, in a third of the time for events with a type (``event: ...``, ``data: ...``)."""
    if event.startswith(b"event: "):
        start = event.find(b"\n") + 1
        if event.startswith(b"data: ", start) and event.find(b"\n", start) == len(event) - 2 and b"\r" not in event:
            return event[start + 6 : -2]
    return sse.data_of(event)


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
    """What an event says, read as loosely as SDKs read it; ``None`` where it is not of this shape."""
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):
        pass
    try:
        return decoder.decode(loose.mended(data))
    except loose.UNREADABLE:
        return None


def made_at(said: Any) -> int:
    """When a reply was made, in seconds; 0 where that is not said, or nonsense."""
    return int(said) if isinstance(said, int | float) and 0 <= said < _FAR else 0


_FAR = 2**53


def typed(kind: bytes, data: bytes) -> bytes:
    return b"event: " + kind + b"\ndata: " + data + b"\n\n"
