"""What a recorder reads of a Messages reply or event; the bytes keep the rest. And what stop reasons mean."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pennyworth.outcome import Ending
from pennyworth.wire import loose

_T = TypeVar("_T")

ENDINGS: dict[str, Ending] = {
    "end_turn": "complete",
    "stop_sequence": "complete",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "filtered",
    "pause_turn": "complete",
    "compaction": "complete",
}
"""Stop reasons (platform.claude.com, "Handling stop reasons"). One that is not here is an error. The last two are good
ends of a call but not of a turn, so ``decide.cacheable`` does not know them."""

LOCAL_BLOCKS = frozenset(("text", "thinking", "redacted_thinking", "tool_use"))
"""Blocks that the model alone can write. Any other tells of something the provider did: a search, code, an MCP server."""


class TextDelta(msgspec.Struct, gc=False, tag_field="type", tag="text_delta"):
    text: str


class JsonDelta(msgspec.Struct, gc=False, tag_field="type", tag="input_json_delta"):
    text: str = msgspec.field(name="partial_json")


class ThinkingDelta(msgspec.Struct, gc=False, tag_field="type", tag="thinking_delta"):
    text: str = msgspec.field(name="thinking")


class Piece(msgspec.Struct, gc=False, tag_field="type", tag="content_block_delta"):
    """An event that carries a piece of text: nearly all of a stream."""

    index: int
    delta: TextDelta | JsonDelta | ThinkingDelta


PIECES: dict[str, type[TextDelta | JsonDelta | ThinkingDelta]] = {
    "text": TextDelta,
    "thinking": ThinkingDelta,
    "tool_use": JsonDelta,
    "server_tool_use": JsonDelta,
    "mcp_tool_use": JsonDelta,
}
"""The pieces in which each kind of block comes; others come whole."""

PIECES_OF: dict[str, type[TextDelta | JsonDelta | ThinkingDelta]] = {
    "text_delta": TextDelta,
    "thinking_delta": ThinkingDelta,
    "input_json_delta": JsonDelta,
}

OTHER_DELTAS = frozenset(("signature_delta", "citations_delta"))
"""What blocks are completed with besides."""


class Block(msgspec.Struct, gc=False):
    type: str = ""
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    input: Any = None
    citations: Any = None


class Message(msgspec.Struct, gc=False):
    """A whole reply, or what a stream starts with."""

    type: str = "message"
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    container: Any = None
    error: Any = None


class Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    container: Any = None


class Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = -1
    message: Message | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


PIECE = msgspec.json.Decoder(Piece).decode
_MESSAGE = msgspec.json.Decoder(Message)
_EVENT = msgspec.json.Decoder(Event)


def read_message(data: bytes) -> tuple[Message, bool]:
    """As ``read_event``, a whole reply."""
    return _read(_MESSAGE, data)


def read_event(data: bytes) -> tuple[Event, bool]:
    """The event, and whether only a loose reading could take it.

    Raises:
        ValueError, RecursionError: not JSON, or not of this shape.
    """
    return _read(_EVENT, data)


def _read(decoder: msgspec.json.Decoder[_T], data: bytes) -> tuple[_T, bool]:
    try:
        return decoder.decode(data), False
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return decoder.decode(loose.mended(data)), True
        except loose.UNREADABLE:
            raise error from None
