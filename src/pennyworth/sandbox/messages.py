"""Anthropic's Messages on the wire: the reply as JSON, and as the events of its stream. Shapes only, as recorded.

Fields and their order follow the recordings of 2026, the ping after the first block has begun included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pennyworth.sandbox.answer import Answer, Choice
from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.chat import Events, Head, Step
from pennyworth.sandbox.manners import anthropic_error

_STOPS: Mapping[str | None, str | None] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    None: None,
}
_THOUGHT = "Simulated thinking."
_SIGNATURE = "c2lnbmVkIGJ5IHRoZSBzYW5kYm94"
_REFUSED = {"type": "refusal", "category": None, "explanation": None}


def as_json(head: Head, answer: Answer, usage: Tokens | None) -> bytes:
    """The reply as one JSON object; without ``usage`` where a fault withholds it."""
    (choice,) = answer.choices
    thought = [{"type": "thinking", "thinking": _THOUGHT, "signature": _SIGNATURE}] if answer.reasoning else []
    said = _opened(choice)
    if choice.field == "tool_calls":
        said["input"] = _input(choice.text)
    else:
        said["text"] = choice.text
    fields = {**_message(head, usage), "content": [*thought, said], **_end(choice)}
    return msgspec.json.encode(fields)


def events(head: Head, answer: Answer, usage: Tokens) -> Events:
    """The stream of a reply. What comes before the first piece of it leaves in one go."""
    (choice,) = answer.choices
    start = _message(head, msgspec.structs.replace(usage, output=1, reasoning=0))
    opening = [_event("message_start", message=start | {"content": []}), *_thinking(answer)]
    index = 1 if answer.reasoning else 0
    opening.append(_event("content_block_start", index=index, content_block=_opened(choice)))
    opening.append(b'event: ping\ndata: {"type": "ping"}\n\n')
    kind, name = ("input_json_delta", "partial_json") if choice.field == "tool_calls" else ("text_delta", "text")
    pieces = [
        (_event("content_block_delta", index=index, delta={"type": kind, name: text}), tokens)
        for text, tokens in choice.pieces
    ]
    end = [
        _event("content_block_stop", index=index),
        _event("message_delta", delta=_end(choice), usage=_usage(usage, final=True)),
    ]
    first: Step = (b"".join(opening), 0)
    return Events([first, *pieces], [(one, 0) for one in end], [], done=((_event("message_stop"), 0),), error=_ERROR)


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


_ERROR = b"event: error\ndata: " + anthropic_error(529, "Overloaded") + b"\n\n"


def _message(head: Head, usage: Tokens | None) -> dict[str, Any]:
    return {
        "model": head.model,
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": _usage(usage) if usage else None,
    }


def _end(choice: Choice) -> dict[str, Any]:
    reason = "refusal" if choice.field == "refusal" else _STOPS.get(choice.finish, choice.finish)
    return {
        "stop_reason": reason,
        "stop_sequence": None,
        "stop_details": _REFUSED if reason == "refusal" else None,
    }


def _thinking(answer: Answer) -> list[bytes]:
    """A summary of what was thought: far less than what is charged for it."""
    if not answer.reasoning:
        return []
    return [
        _event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
        _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": _THOUGHT}),
        _event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": _SIGNATURE}),
        _event("content_block_stop", index=0),
    ]


def _opened(choice: Choice) -> dict[str, Any]:
    if choice.field == "tool_calls":
        return {"type": "tool_use", "id": "toolu_sandbox0", "name": choice.tool, "input": {}}
    return {"type": "text", "text": ""}


def _input(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # cut off at the request's limit
        return {}


def _usage(usage: Tokens, *, final: bool = False) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "input_tokens": usage.input - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
    }
    thought = {"output_tokens_details": {"thinking_tokens": usage.reasoning}} if usage.reasoning else {}
    if final:
        return {**counts, "output_tokens": usage.output, **thought}
    kept = {
        "ephemeral_5m_input_tokens": usage.written - usage.written_1h,
        "ephemeral_1h_input_tokens": usage.written_1h,
    }
    return {**counts, "cache_creation": kept, "output_tokens": usage.output, **thought, "service_tier": "standard"}
