"""Realistic replies of an OpenAI-compatible provider as bytes, for scripts: a chat completion as JSON, and as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

DONE = b"data: [DONE]\n\n"
"""The sentinel that ends a stream of events."""


def chat_usage(prompt: int, completion: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """The ``usage`` object for these token counts."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_json(
    text: str | None,
    *,
    usage: tuple[int, int] | dict[str, Any] | None = (10, 5),
    finish: str | None = "stop",
    model: str = "gpt-4o-mini",
    message: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> bytes:
    """A chat completion with one choice.

    ``usage`` is (prompt, completion) tokens, a whole usage object, or ``None`` for none. ``message`` adds to the
    message (``tool_calls``, ``refusal``), ``more`` to the reply.
    """
    content = {"role": "assistant", "content": text, "refusal": None, "annotations": [], **(message or {})}
    reply = {
        **_head("chat.completion", model),
        "choices": [{"index": 0, "message": content, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(usage),
        **(more or {}),
    }
    return msgspec.json.encode(reply)


def chat_events(
    texts: Sequence[str],
    *,
    usage: tuple[int, int] | dict[str, Any] | None = None,
    finish: str | None = "stop",
    model: str = "gpt-4o-mini",
    done: bool = True,
) -> list[bytes]:
    """A streamed chat completion, one event an element: the role, each text, the finish reason, usage, ``[DONE]``.

    With ``usage`` the stream is one whose caller set ``include_usage``: every other chunk has ``"usage": null``.
    ``finish=None`` leaves the finish event out, ``done=False`` the sentinel.
    """
    chunks = [_choice({"role": "assistant", "content": "", "refusal": None})]
    chunks += [_choice({"content": text}) for text in texts]
    if finish is not None:
        chunks.append(_choice({}, finish))
    if usage is not None:
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({"choices": [], "usage": _usage(usage)})
    events = [event({**_head("chat.completion.chunk", model), **chunk}) for chunk in chunks]
    return [*events, DONE] if done else events


def event(data: dict[str, Any] | bytes) -> bytes:
    """One server-sent event with this data."""
    return b"data: " + (data if isinstance(data, bytes) else msgspec.json.encode(data)) + b"\n\n"


def error_json(message: str, *, kind: str = "server_error", code: str | None = None, param: str | None = None) -> bytes:
    """An error body in OpenAI's shape."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _head(kind: str, model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": 1760000000,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    }


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def _usage(usage: tuple[int, int] | dict[str, Any] | None) -> dict[str, Any] | None:
    return chat_usage(*usage) if isinstance(usage, tuple) else usage
