"""What a recorder reads of a chat reply's body or chunk; the bytes keep the rest. And what terminal reasons mean."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pennyworth.outcome import Ending
from pennyworth.wire import loose

ENDINGS: dict[str, Ending] = {
    "stop": "complete",
    "eos": "complete",  # Together
    "eos_token": "complete",  # Hugging Face TGI
    "end_turn": "complete",
    "stop_sequence": "complete",
    "complete": "complete",  # Cohere
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral
    "model_context_window_exceeded": "length",
    "content_filter": "filtered",
    "safety": "filtered",  # Gemini, like the next four
    "recitation": "filtered",
    "blocklist": "filtered",
    "prohibited_content": "filtered",
    "spii": "filtered",
    "sensitive": "filtered",  # Zhipu
    "tool_calls": "tools",
    "tool_use": "tools",
    "function_call": "tools",
}
"""Terminal reasons, lower-cased. One that is not here is an error: it must not pass for a good end."""

WORST_FIRST: tuple[Ending, ...] = ("error", "filtered", "length", "tools")

_MOST_CHOICES = 1024


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class ToolCall(msgspec.Struct, gc=False):
    index: int | None = None
    function: Function | None = None
    custom: Function | None = None


class Message(msgspec.Struct, gc=False):
    """A delta or a message.

    ``annotations`` (OpenAI), ``executed_tools`` (Groq), ``context`` (Azure) and ``citations`` are there when the
    provider looked beyond the prompt.
    """

    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    audio: Any = None
    annotations: Any = None
    executed_tools: Any = None
    context: Any = None
    citations: Any = None


class Choice(msgspec.Struct, gc=False):
    index: Annotated[int, msgspec.Meta(ge=0, lt=_MOST_CHOICES)] = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None


class Groq(msgspec.Struct, gc=False):
    """Groq's own corner: a stream's usage, or why it failed."""

    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


class Body(msgspec.Struct, gc=False):
    """``citations``, ``search_results`` (Perplexity, xAI) and ``web_search`` (Zhipu): the provider searched."""

    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None
    x_groq: Groq | None = None
    citations: Any = None
    search_results: Any = None
    web_search: Any = None


class _PlainDelta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: str
    role: Any = None
    refusal: None = None
    reasoning: None = None
    reasoning_content: None = None
    tool_calls: None = None
    function_call: None = None


class _PlainChoice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    delta: _PlainDelta
    index: Annotated[int, msgspec.Meta(ge=0, lt=_MOST_CHOICES)] = 0
    finish_reason: None = None
    logprobs: None = None


class Piece(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A chunk that carries some text of one choice and nothing else: nearly all of a stream, in half the time."""

    choices: tuple[_PlainChoice]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: None = None
    id: Any = None
    object: Any = None
    created: Any = None
    service_tier: Any = None
    obfuscation: Any = None


PIECE = msgspec.json.Decoder(Piece).decode
DECODE = msgspec.json.Decoder(Body).decode


def read_body(data: bytes) -> tuple[Body, bool]:
    """The body, and whether only a loose reading could take it.

    Raises:
        ValueError, RecursionError: not JSON, or not of this shape.
    """
    try:
        return DECODE(data), False
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return DECODE(loose.mended(data)), True
        except loose.UNREADABLE:
            raise error from None
