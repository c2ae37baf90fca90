"""What an application that speaks Anthropic Messages makes of a reply; it shares nothing with the gateway's reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pennyworth.simulation.history import Heard

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


def hear_message(body: bytes, *, events: bool, whole: bool) -> Heard:
    """``whole``: the HTTP message ended properly. A stream is complete for its reader when ``message_stop`` has come."""
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
    usage: dict[str, Any] = {}
    argument, called = "", False
    for said in _events(body):
        match said["type"]:
            case "message_start":
                if heard.id:
                    heard.error = f"two replies in one: {heard.id} and {said['message']['id']}"
                heard.id = said["message"]["id"]
                usage.update(said["message"]["usage"])
            case "content_block_start":
                called = called or said["content_block"]["type"] == "tool_use"
            case "content_block_delta":
                heard.texts[0] += said["delta"].get("text", "")
                argument += said["delta"].get("partial_json", "")
            case "message_delta":
                heard.finishes[0] = _FINISHES[said["delta"]["stop_reason"]]
                usage.update(said["usage"])
                heard.usage = _counted(usage)
            case "message_stop":
                if called:
                    heard.texts[0] += _argument(heard, json.loads(argument) if _is_json(argument) else {})
                heard.complete = not heard.error and bool(heard.finishes[0])
            case "error":
                heard.error = str(said["error"])[:80]


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    for event in body.split(b"\n\n"):
        data = next((line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")), b"")
        if data:
            yield json.loads(data)


def _take(heard: Heard, said: dict[str, Any]) -> None:
    if said["type"] == "error":
        heard.error = str(said["error"])[:80]
        return
    heard.id = said["id"]
    for block in said["content"]:
        heard.texts[0] += block["text"] if block["type"] == "text" else _argument(heard, block["input"])
    heard.finishes[0] = _FINISHES[said["stop_reason"]] if said["stop_reason"] else ""
    heard.usage = _counted(said["usage"]) if said["usage"] else None


def _argument(heard: Heard, called: dict[str, Any]) -> str:
    if "sandbox" not in called:
        heard.error = heard.error or "half a tool call"
    return str(called.get("sandbox", ""))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _counted(usage: dict[str, Any]) -> tuple[int, int]:
    """Input and output; what came from the provider's cache is counted apart there."""
    apart = sum(usage.get(name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))
    return usage["input_tokens"] + apart, usage["output_tokens"]
