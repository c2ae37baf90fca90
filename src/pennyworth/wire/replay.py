"""Gives a recorded chat reply again, as JSON or as events, whichever way it came.

A reply recorded in the form that is asked for is given byte for byte, ids and times included; the other form is made
from it by the rules of OpenAI's streaming API (``assembly`` has the way from events to JSON).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pennyworth.wire import edits, loose, sse
from pennyworth.wire.assembly import assemble, events
from pennyworth.wire.sse import DONE, event

__all__ = ["as_events", "as_json", "assemble", "events", "hide_usage"]

_LAST_NULL = re.compile(rb',\s*"usage"\s*:\s*null(?=(?:,\s*"obfuscation"\s*:\s*"[^"\\]*")?\s*\}\s*\Z)')
"""``"usage": null`` where most providers put it: at the end, so that it cannot be an inner object's."""
_NULL = msgspec.Raw(b"null")


class _Top(msgspec.Struct, gc=False):
    choices: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


_TOP = msgspec.json.Decoder(_Top).decode


def hide_usage(event: bytes) -> bytes:
    """One event without the usage that the caller did not ask for; ``b""`` if it carried nothing else.

    Gone are the event that holds only usage, and the ``"usage": null`` of the others (OpenAI's reference,
    ``stream_options.include_usage``). A usage beside choices stays: such providers give it unasked.
    """
    if b'"usage"' not in event:
        return event
    shorter, found = _LAST_NULL.subn(b"", event)
    if found:
        return shorter
    try:
        top = _TOP(sse.data_of(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return event
    if top.usage == _NULL:
        return sse.with_data(event, edits.remove(sse.data_of(event), "usage"))
    return b"" if top.usage and top.choices == [] and top.error is None else event


def as_events(raw: bytes, *, streamed: bool, usage: bool) -> bytes:
    """The reply as server-sent events, with the usage event or without."""
    if not streamed:
        return _from_json(raw, usage)
    return raw if usage else b"".join([hide_usage(one) for one in events(raw)])


def as_json(raw: bytes, *, streamed: bool) -> bytes:
    """The reply as one JSON body."""
    return loose.write(assemble(raw)) if streamed else raw


def _from_json(raw: bytes, usage: bool) -> bytes:
    body: dict[str, Any] = loose.read(raw)
    if body.get("error") is not None:
        return event(raw.replace(b"\n", b" ").replace(b"\r", b" ")) + DONE
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    tail = {"usage": None} if usage else {}
    out = []
    for choice in body.get("choices") or ():
        index = choice.get("index", 0)
        for delta, extra in _deltas(choice):
            out.append(event(loose.write({**head, "choices": [{"index": index, "delta": delta, **extra}], **tail})))
    if usage and body.get("usage"):
        out.append(event(loose.write({**head, "choices": [], "usage": body["usage"]})))
    return b"".join([*out, DONE])


def _deltas(choice: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Role first, then the content at once, then the reason it ended: the order in which providers stream."""
    message = dict(choice.get("message") or {})
    role = message.pop("role", "assistant")
    rest = {name: value for name, value in choice.items() if name not in ("index", "message", "finish_reason")}
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [{**call, "index": i} for i, call in enumerate(message["tool_calls"])]
    start: dict[str, Any] = {"role": role}
    if isinstance(message.get("content"), str):
        start["content"] = ""
    return [
        (start, {"logprobs": None, "finish_reason": None}),
        (message, {"logprobs": None, **rest, "finish_reason": None}),
        ({}, {"logprobs": None, "finish_reason": choice.get("finish_reason")}),
    ]
