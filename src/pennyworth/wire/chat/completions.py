"""Chat completions: a whole reply as a completion and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.chat.turns import message_of, turn_of
from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.replies import Answer, Completion, Stop, Tokens

_STOPS: Mapping[str, Stop] = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filtered"}
_WORDS = {stop: word for word, stop in _STOPS.items()}


def completion_of(body: Mapping[str, Any]) -> Completion | None:
    """The completion; ``None`` if the body is none (an error, say)."""
    rest = dict(body)
    id_, model, choices = taken(rest, "id", str), taken(rest, "model", str), taken(rest, "choices", list)
    if id_ is None or model is None or choices is None or taken(rest, "object", str) != "chat.completion":
        return None
    answers = [_answer_of(choice, f"choices[{i}]") for i, choice in enumerate(choices)]
    if None in answers:
        return None
    return Completion(
        dialect="chat",
        id=id_,
        model=model,
        answers=tuple([answer for answer in answers if answer is not None]),
        tokens=_tokens_of(rest),
        created=taken(rest, "created", int),
        extra=rest,
    )


def body_of(completion: Completion) -> dict[str, Any]:
    out: dict[str, Any] = {
        "id": completion.id,
        "object": "chat.completion",
        "model": completion.model,
        "choices": [_choice_in(answer) for answer in completion.answers],
    }
    if completion.created is not None:
        out["created"] = completion.created
    if completion.tokens is not None:
        usage = {"usage": _usage_in(completion.tokens)}
        out |= {_GROQ: usage} if _GROQ in completion.tokens.spelled else usage
    return with_extra(out, completion.extra)


def _answer_of(choice: Any, at: str) -> Answer | None:
    rest = dict(choice) if choice.__class__ is dict else {}
    message, index = taken(rest, "message", dict), taken(rest, "index", int)
    if index is None or (message is not None and message.get("role") != "assistant"):
        return None
    finish = rest.get("finish_reason")
    stop = _STOPS.get(finish) if finish.__class__ is str else None
    if stop:
        del rest["finish_reason"]
    turns = () if message is None else (turn_of(message, f"{at}.message"),)  # Azure says nothing where it filters all
    return Answer(turns=turns, index=index, stop=stop, at=at, extra=rest)


def _choice_in(answer: Answer) -> dict[str, Any]:
    out: dict[str, Any] = {"index": answer.index}
    for turn in answer.turns:
        out["message"] = message_of(turn)
    if answer.stop:
        out["finish_reason"] = _WORDS[answer.stop]
    return with_extra(out, answer.extra)


_INTO, _OUT = "prompt_tokens_details", "completion_tokens_details"
_GROQ = "x_groq"
"""Where Groq puts a stream's usage."""


def _tokens_of(rest: dict[str, Any]) -> Tokens | None:
    """The usage, taken out of ``rest``; what cannot be read stays."""
    groq = rest.get(_GROQ)
    inner = dict(groq) if groq.__class__ is dict and rest.get("usage").__class__ is not dict else None
    holder = rest if inner is None else inner
    usage = holder.get("usage")
    left = dict(usage) if usage.__class__ is dict else {}
    asked, answered = taken(left, "prompt_tokens", int), taken(left, "completion_tokens", int)
    if asked is None or answered is None:
        return None
    into, out = (dict(left[name]) if left.get(name).__class__ is dict else None for name in (_INTO, _OUT))
    cached, written = (taken(into, name, int) if into else None for name in ("cached_tokens", "cache_write_tokens"))
    reasoning = taken(out, "reasoning_tokens", int) if out else None
    for name, details in ((_INTO, into), (_OUT, out)):
        if details is not None:
            left[name] = details
    del holder["usage"]
    if inner is not None:
        rest[_GROQ] = inner
    return Tokens(
        input=asked,
        output=answered,
        total=taken(left, "total_tokens", int),
        cached=cached,
        cache_write=written,
        reasoning=reasoning,
        extra=left,
        spelled=() if inner is None else (_GROQ,),
    )


def _usage_in(tokens: Tokens) -> dict[str, Any]:
    out: dict[str, Any] = {"prompt_tokens": tokens.input, "completion_tokens": tokens.output}
    if tokens.total is not None:
        out["total_tokens"] = tokens.total
    into = put({}, (("cached_tokens", tokens.cached), ("cache_write_tokens", tokens.cache_write)))
    spent = put({}, (("reasoning_tokens", tokens.reasoning),))
    if into:
        out[_INTO] = into
    if spent:
        out[_OUT] = spent
    return with_extra(out, tokens.extra)
