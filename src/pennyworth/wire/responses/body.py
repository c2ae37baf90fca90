"""What a recorder reads of a response or of an event of its stream; the bytes keep the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.wire import loose

NO_RAW = msgspec.Raw(b"")

LENGTH = frozenset(("max_output_tokens", "max_tokens", "max_messages"))
FILTERED = frozenset(("content_filter",))
"""Why a response is incomplete. A reason that is in neither is an error: it must not pass for a good end."""

TERMINAL = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"))


class Part(msgspec.Struct, gc=False):
    """Of a message's content, a reasoning's summary or text. ``annotations``: what the provider found and quotes."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: Any = None


class Item(msgspec.Struct, gc=False):
    """``execution`` and ``environment`` tell where a tool runs that may run on either side."""

    type: str = ""
    name: str | None = None
    status: str | None = None
    content: list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: Any = None
    arguments: Any = None
    input: Any = None
    execution: Any = None
    environment: Any = None


class Reason(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    status: str | None = None
    model: str | None = None
    output: list[Item] | None = None
    usage: msgspec.Raw = NO_RAW
    error: Any = None
    incomplete_details: Reason | None = None


class Event(msgspec.Struct, gc=False):
    """Of any type: each field belongs to some of them."""

    type: str = ""
    delta: Any = None
    output_index: int = 0
    item: Item | None = None
    annotation: Any = None
    response: Response | None = None
    error: Any = None


EVENT = msgspec.json.Decoder(Event).decode
RESPONSE = msgspec.json.Decoder(Response).decode


class Delta(msgspec.Struct, gc=False):
    """An event with a piece of text and nothing else that counts: nearly all of a stream, in less time."""

    delta: str
    type: str
    output_index: int = 0
    item: None = None
    annotation: None = None
    response: None = None
    error: None = None


DELTA = msgspec.json.Decoder(Delta).decode


def read_event(data: bytes) -> tuple[Event, bool]:
    """The event, and whether only a loose reading could take it. Raises ValueError, RecursionError."""
    try:
        return EVENT(data), False
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return EVENT(_mended(data, error)), True


def read_response(data: bytes) -> tuple[Response, bool]:
    """The same for a whole response."""
    try:
        return RESPONSE(data), False
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return RESPONSE(_mended(data, error)), True


def _mended(data: bytes, error: Exception) -> bytes:
    try:
        return loose.mended(data)
    except loose.UNREADABLE:
        raise error from None
