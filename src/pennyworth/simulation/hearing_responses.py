"""What an application that speaks OpenAI Responses makes of a reply; it shares nothing with the gateway's reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pennyworth.simulation.history import Heard

_LAST = ("response.completed", "response.incomplete", "response.failed")
_PIECES = ("response.output_text.delta", "response.refusal.delta")
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def hear_response(body: bytes, *, events: bool, whole: bool) -> Heard:
    """``whole``: the HTTP message ended properly. A stream is complete for its reader when its last event has come, which
    holds all of the response: what was said on the way must be what stands there."""
    heard = Heard(texts=[""], finishes=[""])
    try:
        if events:
            _take_events(heard, body)
        else:
            _take(heard, json.loads(body))
            heard.complete = whole and not heard.error and bool(heard.finishes[0])
    except (ValueError, KeyError, TypeError):
        heard.error = heard.error or "unreadable"
        heard.complete = False
    return heard


def _take_events(heard: Heard, body: bytes) -> None:
    text, argument = "", ""
    for said in _events(body):
        kind = said["type"]
        if kind == "response.created":
            if heard.id:
                heard.error = f"two replies in one: {heard.id} and {said['response']['id']}"
            heard.id = said["response"]["id"]
        elif kind in _PIECES:
            text += said["delta"]
        elif kind == "response.function_call_arguments.delta":
            argument += said["delta"]
        elif kind in _LAST:
            _take(heard, said["response"])
            told = text + (json.loads(argument)["sandbox"] if argument and not heard.error else "")
            if not heard.error and told != heard.texts[0]:
                heard.error = "its end says other words than its pieces"
            heard.complete = not heard.error and bool(heard.finishes[0])
        elif kind == "error":
            heard.error = str(said)[:80]
    if not heard.complete:
        heard.texts[0] = heard.texts[0] or text


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    for event in body.split(b"\n\n"):
        data = next((line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")), b"")
        if data:
            yield json.loads(data)


def _take(heard: Heard, said: dict[str, Any]) -> None:
    if said.get("error"):
        heard.error = str(said["error"])[:80]
        return
    heard.id = said["id"]
    for item in said["output"]:
        if item["type"] == "message":
            heard.texts[0] += "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
        elif item["type"] == "function_call":
            heard.texts[0] += _argument(heard, item["arguments"])
    if said["status"] == "completed":
        heard.finishes[0] = "stop"
    elif said["status"] == "incomplete":
        heard.finishes[0] = _REASONS[said["incomplete_details"]["reason"]]
    usage = said.get("usage")
    heard.usage = (usage["input_tokens"], usage["output_tokens"]) if usage else None


def _argument(heard: Heard, text: str) -> str:
    try:
        return str(json.loads(text)["sandbox"])
    except (ValueError, KeyError, TypeError):
        heard.error = heard.error or "half a tool call"
        return ""
