"""Gives a recorded chat reply again, as JSON or as events, whichever way it came.

A reply recorded in the form that is asked for is given byte for byte, ids and times included; the other form is made
from it by the rules of OpenAI's streaming API (``assembly`` has the way from events to JSON).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pennyworth.wire import edits, loose, sse
from pennyworth.wire.chat.assembly import assemble, events
from pennyworth.wire.sse import DONE, event

__all__ = ["as_events", "as_json", "assemble", "events", "hide_usage"]

_NULL_AT_END = re.compile(
    rb',[ \t]*"usage"[ \t]*:[ \t]*null(?=(?:,[ \t]*"obfuscation"[ \t]*:[ \t]*"[^"\\]*")?[ \t]*\}[\r\n]*\Z)'
)
"""``"usage": null`` where most providers put it: at the end, so that it cannot be an inner object's."""
_NULL = msgspec.Raw(b"null")


class _Top(msgspec.Struct, gc=False):
    choices: msgspec.Raw = msgspec.Raw(b"")
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
    found = _NULL_AT_END.search(event)
    if found and event.startswith(b"data:") and _one_line(before := event[: found.start()]):
        return before + event[found.end() :]
    try:
        top = _TOP(sse.data_of(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return event
    if top.usage == _NULL:
        return sse.with_data(event, edits.remove(sse.data_of(event), "usage"))
    only_usage = top.usage and top.error is None and bytes(top.choices).translate(None, b" \t\r\n") == b"[]"
    return b"" if only_usage else event


def _one_line(data: bytes) -> bool:
    return b"\n" not in data and b"\r" not in data


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
        return event(loose.write(body)) + DONE
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    tail = {"usage": None} if usage else {}
    out = []
    for choice in body.get("choices") or ():
        index = choice.get("index", 0)
        for delta, beside in _deltas(choice):
            out.append(event(loose.write({**head, "choices": [{"index": index, "delta": delta, **beside}], **tail})))
    if usage and body.get("usage"):
        out.append(event(loose.write({**head, "choices": [], "usage": body["usage"]})))
    return b"".join([*out, DONE])


def _deltas(choice: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Role first, then all that was said, then the reason it ended: the order in which providers stream.

    With each, what stands beside it: log probabilities with the text, everything else at the end.
    """
    message = {name: _numbered(name, value) for name, value in (choice.get("message") or {}).items()}
    start = {"role": message.pop("role", "assistant")}
    if isinstance(message.get("content"), str):
        start["content"] = ""
    beside = {name: value for name, value in choice.items() if name not in ("index", "message", "logprobs")}
    silent = {"logprobs": None} if "logprobs" in choice else {}
    spoken = {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}
    return [
        (start, {**silent, "finish_reason": None}),
        (message, {**spoken, "finish_reason": None}),
        ({}, {**silent, "finish_reason": None, **beside}),
    ]


def _numbered(name: str, value: Any) -> Any:
    """A list whose items clients merge by ``index``, numbered by place.

    Tool calls have no index in a body. OpenRouter's reasoning details have, but the same for items of two types, which
    the SDKs would run together.
    """
    items = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    if items and (name == "tool_calls" or any("index" in item for item in value)):
        return [{**item, "index": i} for i, item in enumerate(value)]
    return value
