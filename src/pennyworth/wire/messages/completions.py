"""Anthropic messages: a whole reply as a completion and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.members import taken, with_extra
from pennyworth.wire.messages.blocks import block_of, parts_of
from pennyworth.wire.neutral.nouns import Turn
from pennyworth.wire.neutral.replies import Answer, Completion, Stop, Tokens

_STOPS: Mapping[str, Stop] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "filtered",
}
_WORDS: Mapping[Stop, str] = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "filtered": "refusal"}
_READ, _WRITTEN = "cache_read_input_tokens", "cache_creation_input_tokens"
_OUT = "output_tokens_details"


def completion_of(body: Mapping[str, Any]) -> Completion | None:
    """The completion; ``None`` if the body is none (an error, say)."""
    rest = dict(body)
    id_, model, content = taken(rest, "id", str), taken(rest, "model", str), rest.get("content")
    if id_ is None or model is None or content.__class__ is not list:
        return None
    if taken(rest, "type", str) != "message" or taken(rest, "role", str) != "assistant":
        return None
    parts, _ = parts_of(rest, "content", "content")
    word = rest.get("stop_reason")
    stop = _STOPS.get(word) if word.__class__ is str else None
    stopped_at = taken(rest, "stop_sequence", str)
    if stop:
        del rest["stop_reason"]
    spelled = () if stop is None or word == _WORDS[stop] else (str(word),)
    turn = Turn(role="assistant", parts=parts)
    answer = Answer(turns=(turn,), stop=stop, stopped_at=stopped_at, spelled=spelled)
    return Completion(dialect="messages", id=id_, model=model, answers=(answer,), tokens=_tokens_of(rest), extra=rest)


def body_of(completion: Completion) -> dict[str, Any]:
    answer = completion.answers[0]
    out: dict[str, Any] = {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": [block_of(part) for turn in answer.turns for part in turn.parts],
    }
    if answer.stop:
        out["stop_reason"] = next((word for word in answer.spelled if word in _STOPS), _WORDS[answer.stop])
    if answer.stopped_at is not None:
        out["stop_sequence"] = answer.stopped_at
    if completion.tokens is not None:
        out["usage"] = _usage_in(completion.tokens)
    return with_extra(out, completion.extra)


def _tokens_of(rest: dict[str, Any]) -> Tokens | None:
    """The usage, taken out of ``rest``. Anthropic counts what came from its cache, or went into it, apart."""
    usage = rest.get("usage")
    left = dict(usage) if usage.__class__ is dict else {}
    asked, answered = taken(left, "input_tokens", int), taken(left, "output_tokens", int)
    if asked is None or answered is None:
        return None
    del rest["usage"]
    cached, written = taken(left, _READ, int), taken(left, _WRITTEN, int)
    details = dict(left[_OUT]) if left.get(_OUT).__class__ is dict else {}
    reasoning = taken(details, "thinking_tokens", int)
    if reasoning is not None:
        left[_OUT] = details
        if not details:
            del left[_OUT]
    return Tokens(
        input=asked + (cached or 0) + (written or 0),
        output=answered,
        cached=cached,
        cache_write=written,
        reasoning=reasoning,
        extra=left,
    )


def _usage_in(tokens: Tokens) -> dict[str, Any]:
    out: dict[str, Any] = {
        "input_tokens": tokens.input - (tokens.cached or 0) - (tokens.cache_write or 0),
        "output_tokens": tokens.output,
    }
    if tokens.cached is not None:
        out[_READ] = tokens.cached
    if tokens.cache_write is not None:
        out[_WRITTEN] = tokens.cache_write
    if tokens.reasoning is not None:
        out[_OUT] = {"thinking_tokens": tokens.reasoning}
    return with_extra(out, tokens.extra)
