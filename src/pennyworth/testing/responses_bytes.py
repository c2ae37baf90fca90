"""Realistic replies of OpenAI's Responses as bytes, for scripts: a response as JSON, and as the events of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


def response_usage(into: int, out: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """The ``usage`` object for these token counts."""
    return {
        "input_tokens": into,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": into + out,
    }


def message_item(text: str, **part: Any) -> dict[str, Any]:
    """A message with one text. ``part`` adds to the text's part (``annotations``)."""
    said = {"type": "output_text", "annotations": [], "logprobs": [], "text": text, **part}
    return {"id": "msg_scripted", "type": "message", "status": "completed", "content": [said], "role": "assistant"}


def call_item(name: str = "f", arguments: str = "{}", *, kind: str = "function_call") -> dict[str, Any]:
    return {
        "id": f"fc_{name}",
        "type": kind,
        "status": "completed",
        "arguments": arguments,
        "call_id": f"call_{name}",
        "name": name,
    }


def response_body(
    *output: dict[str, Any],
    status: str = "completed",
    usage: dict[str, Any] | None = None,
    model: str = "gpt-5-mini",
    **more: Any,
) -> dict[str, Any]:
    """A response with these items; ``usage`` is that of ten tokens and five unless it is given."""
    return {
        "id": "resp_scripted",
        "object": "response",
        "created_at": 1760000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage or response_usage(10, 5),
        **more,
    }


def response_json(*output: dict[str, Any], **more: Any) -> bytes:
    """``response_body`` as bytes."""
    return msgspec.json.encode(response_body(*output, **more))


def response_events(texts: Sequence[str], **more: Any) -> list[bytes]:
    """A streamed response with one message, one event an element; ``more`` as in ``response_body``."""
    item = message_item("".join(texts))
    whole = response_body(item, **more)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    part = {**item["content"][0], "text": ""}
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"item": {**item, "status": "in_progress", "content": []}, "output_index": 0}),
        ("response.content_part.added", {**at, "part": part}),
        *[("response.output_text.delta", {**at, "delta": text, "logprobs": []}) for text in texts],
        ("response.output_text.done", {**at, "text": "".join(texts), "logprobs": []}),
        ("response.content_part.done", {**at, "part": item["content"][0]}),
        ("response.output_item.done", {"item": item, "output_index": 0}),
        (f"response.{whole['status']}", {"response": whole}),
    ]
    return [response_event(kind, sequence_number=i, **said) for i, (kind, said) in enumerate(told)]


def response_event(kind: str, **said: Any) -> bytes:
    """One event of a stream, its type in both places."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind, **said}) + b"\n\n"
