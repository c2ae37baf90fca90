"""The question of ``questions`` in each dialect, and what a constant provider answers there: the same words, the same tokens."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from benchmarks import questions
from pennyworth.request import Dialect
from pennyworth.testing.responses_bytes import message_item, response_events, response_json, response_usage

CLAUDE = "claude-sonnet-4-5"
EMBEDDER = "text-embedding-3-small"
WORDS = 20
TEXT = "The quick brown fox jumps over the lazy dog. " * 4
PIECES = [f"word{place} " for place in range(WORDS)]

_VECTOR = base64.b64encode(bytes(range(256)) * 24).decode()
"""1,536 numbers, as the official SDK asks for them."""


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """One dialect.

    Attributes:
        path: under ``/v1``. ``model``: one with a published price.
        ask: the fields of a question, without ``model`` and ``stream``; the number is of items.
        ends, stream_ends: what stands in a whole reply of the dialect, and at the end of a stream.
    """

    path: str
    model: str
    ask: Callable[[str, int], dict[str, Any]]
    ends: bytes
    stream_ends: bytes = b""


def body(dialect: Dialect, question: str, *, model: str = "", stream: bool = False, items: int = 1) -> bytes:
    """The request, as an SDK writes it."""
    wording = WORDINGS[dialect]
    streams = {"stream": True} if stream else {}
    return msgspec.json.encode({"model": model or wording.model, **wording.ask(question, items), **streams})


def message() -> bytes:
    return msgspec.json.encode(_message([{"type": "text", "text": TEXT}], "end_turn"))


def message_events() -> list[bytes]:
    """As Anthropic sends them: 20 words in 25 events."""
    start, delta = {"type": "text", "text": ""}, "content_block_delta"
    said = [{"type": delta, "index": 0, "delta": {"type": "text_delta", "text": word}} for word in PIECES]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": _message([], None)},
        {"type": "content_block_start", "index": 0, "content_block": start},
        *said,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 40}},
        {"type": "message_stop"},
    ]
    return [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event)) for event in events]


def response() -> bytes:
    return response_json(message_item(TEXT), model=questions.MODEL, usage=response_usage(120, 40))


def responded() -> list[bytes]:
    return response_events(PIECES, model=questions.MODEL, usage=response_usage(120, 40))


def vectors(count: int) -> bytes:
    data = [{"object": "embedding", "index": place, "embedding": _VECTOR} for place in range(count)]
    usage = {"prompt_tokens": 20 * count, "total_tokens": 20 * count}
    return msgspec.json.encode({"object": "list", "data": data, "model": EMBEDDER, "usage": usage})


def _message(content: list[Any], stop: str | None) -> dict[str, Any]:
    usage = {"input_tokens": 120, "output_tokens": 40 if stop else 1}
    frame = {"id": "msg_constant", "type": "message", "role": "assistant", "model": CLAUDE}
    return {**frame, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _in_messages(question: str, items: int) -> dict[str, Any]:
    turns = [{"role": "user", "content": _asked(question)}]
    return {"system": questions.SYSTEM, "messages": turns, "temperature": 0, "max_tokens": 64}


def _in_chat(question: str, items: int) -> dict[str, Any]:
    turns = [{"role": "system", "content": questions.SYSTEM}, {"role": "user", "content": _asked(question)}]
    return {"messages": turns, "temperature": 0, "max_tokens": 64}


def _in_responses(question: str, items: int) -> dict[str, Any]:
    said = {"instructions": questions.SYSTEM, "input": _asked(question)}
    return {**said, "temperature": 0, "max_output_tokens": 64, "store": False}


def _in_embeddings(question: str, items: int) -> dict[str, Any]:
    texts = [_asked(f"{question}-{place}") + questions.SYSTEM for place in range(items)]
    return {"input": texts if items > 1 else texts[0], "encoding_format": "base64"}


def _asked(question: str) -> str:
    return f"Question {question}: what is the return policy?"


WORDINGS: Mapping[Dialect, Wording] = MappingProxyType(
    {
        "chat": Wording(
            path="/chat/completions",
            model=questions.MODEL,
            ask=_in_chat,
            ends=b'"finish_reason":"stop"',
            stream_ends=b"data: [DONE]\n\n",
        ),
        "messages": Wording(
            path="/messages",
            model=CLAUDE,
            ask=_in_messages,
            ends=b'"stop_reason":"end_turn"',
            stream_ends=b"event: message_stop\n",
        ),
        "responses": Wording(
            path="/responses",
            model=questions.MODEL,
            ask=_in_responses,
            ends=b'"status":"completed"',
            stream_ends=b"event: response.completed\n",
        ),
        "embeddings": Wording(path="/embeddings", model=EMBEDDER, ask=_in_embeddings, ends=b'"object":"embedding"'),
    }
)
