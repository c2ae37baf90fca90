"""An embeddings reply given again: it is one JSON body, and has no other form."""

from __future__ import annotations

from pennyworth.wire import sse


def as_json(raw: bytes, *, streamed: bool) -> bytes:
    return raw


def as_events(raw: bytes, *, streamed: bool, usage: bool) -> bytes:
    """For completeness: nobody can ask for it."""
    return raw if streamed else sse.event(raw)


def hide_usage(event: bytes) -> bytes:
    return event
