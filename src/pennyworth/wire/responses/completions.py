"""OpenAI Responses: a whole reply as a completion and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.nouns import ToolCall
from pennyworth.wire.neutral.replies import Answer, Completion, Stop, Tokens
from pennyworth.wire.responses.items import items_of, turn_of

_REASONS: Mapping[str, Stop] = {"max_output_tokens": "length", "content_filter": "filtered"}
_WORDS = {stop: reason for reason, stop in _REASONS.items()}
_INTO, _OUT = "input_tokens_details", "output_tokens_details"


def completion_of(body: Mapping[str, Any]) -> Completion | None:
    """The completion; ``None`` if the body is none (an error, say)."""
    rest = dict(body)
    id_, model, output = taken(rest, "id", str), taken(rest, "model", str), taken(rest, "output", list)
    if id_ is None or model is None or output is None or taken(rest, "object", str) != "response":
        return None
    turns = tuple([turn_of(item, f"output[{i}]") for i, item in enumerate(output)])
    called = any(part.__class__ is ToolCall for turn in turns for part in turn.parts)
    answer = Answer(turns=turns, stop=_stop_of(rest, called))
    created = taken(rest, "created_at", int)
    tokens = _tokens_of(rest)
    return Completion(
        dialect="responses", id=id_, model=model, answers=(answer,), tokens=tokens, created=created, extra=rest
    )


def body_of(completion: Completion) -> dict[str, Any]:
    answer = completion.answers[0]
    out: dict[str, Any] = {"id": completion.id, "object": "response", "model": completion.model}
    if completion.created is not None:
        out["created_at"] = completion.created
    out["output"] = [item for turn in answer.turns for item in items_of(turn)]
    if answer.stop in _WORDS:
        out["status"] = "incomplete"
        out["incomplete_details"] = {"reason": _WORDS[answer.stop]}
    elif answer.stop:
        out["status"] = "completed"
    if completion.tokens is not None:
        out["usage"] = _usage_in(completion.tokens)
    return with_extra(out, completion.extra)


def _stop_of(rest: dict[str, Any], called: bool) -> Stop | None:
    match rest:
        case {"status": "completed"}:
            del rest["status"]
            return "tools" if called else "stop"
        case {"status": "incomplete", "incomplete_details": {"reason": str(reason), **others}} if not others:
            if reason in _REASONS:
                del rest["status"], rest["incomplete_details"]
                return _REASONS[reason]
    return None


def _tokens_of(rest: dict[str, Any]) -> Tokens | None:
    usage = rest.get("usage")
    left = dict(usage) if usage.__class__ is dict else {}
    asked, answered = taken(left, "input_tokens", int), taken(left, "output_tokens", int)
    if asked is None or answered is None:
        return None
    del rest["usage"]
    into, out = (dict(left[name]) if left.get(name).__class__ is dict else None for name in (_INTO, _OUT))
    cached, written = (taken(into, name, int) if into else None for name in ("cached_tokens", "cache_write_tokens"))
    reasoning = taken(out, "reasoning_tokens", int) if out else None
    for name, details in ((_INTO, into), (_OUT, out)):
        if details is not None:
            left[name] = details
    total = taken(left, "total_tokens", int)
    return Tokens(
        input=asked, output=answered, total=total, cached=cached, cache_write=written, reasoning=reasoning, extra=left
    )


def _usage_in(tokens: Tokens) -> dict[str, Any]:
    out: dict[str, Any] = {"input_tokens": tokens.input, "output_tokens": tokens.output}
    if tokens.total is not None:
        out["total_tokens"] = tokens.total
    into = put({}, (("cached_tokens", tokens.cached), ("cache_write_tokens", tokens.cache_write)))
    spent = put({}, (("reasoning_tokens", tokens.reasoning),))
    if into:
        out[_INTO] = into
    if spent:
        out[_OUT] = spent
    return with_extra(out, tokens.extra)
