"""Gives a recorded response again, as JSON or as events, whichever way it came.

A reply recorded in the form that is asked for is given byte for byte, ids and times included. From events to JSON is in
``assembly``; from JSON to events goes in the order in which OpenAI streams, each text in one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pennyworth.wire import loose
from pennyworth.wire.responses.assembly import assemble
from pennyworth.wire.responses.problems import error_event
from pennyworth.wire.responses.unfold import Told, objects, unfold

__all__ = ["as_events", "as_json", "hide_usage"]

_ENDS = {"completed", "incomplete", "failed", "cancelled"}


def as_json(raw: bytes, *, streamed: bool) -> bytes:
    """The response as one JSON body."""
    return assemble(raw) if streamed else raw


def as_events(raw: bytes, *, streamed: bool, usage: bool) -> bytes:
    """The response as server-sent events. Usage is always among them, whoever asks."""
    if streamed:
        return raw
    body = loose.read(raw)
    if not isinstance(body, dict) or "output" not in body:
        return error_event(body.get("error") if isinstance(body, dict) else body)
    return b"".join(_numbered(_told(body)))


def hide_usage(event: bytes) -> bytes:
    """As it is: the dialect leaves no choice."""
    return event


def _told(body: dict[str, Any]) -> Iterator[Told]:
    begun = _begun(body)
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for place, item in objects(body["output"]):
        yield from unfold(item, place)
    if body.get("status") in _ENDS:
        yield f"response.{body['status']}", {"response": body}


def _begun(body: dict[str, Any]) -> dict[str, Any]:
    """The response as it was before anything had been said."""
    later: dict[str, Any] = {
        name: None for name in ("completed_at", "error", "incomplete_details", "usage") if name in body
    }
    return {**body, "status": "in_progress", "output": [], **later}


def _numbered(told: Iterable[Told]) -> Iterator[bytes]:
    for number, (kind, said) in enumerate(told):
        fields = sorted({**said, "sequence_number": number}.items())  # as OpenAI writes them
        data = loose.write({"type": kind, **dict(fields)})
        yield b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
