"""Gives a recorded chat reply again, as JSON or as events, whichever way it came.

A reply recorded in the form that is asked for is given byte for byte, ids and times included; the other form is made
from it by the rules of OpenAI's streaming API (deltas concatenate, tool calls merge by index).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pennyworth.wire.sse import DONE, EventSplitter, data_of, event

_USAGE_NULL = re.compile(rb',\s*"usage"\s*:\s*null')
_ENCODE = msgspec.json.Encoder().encode


def hide_usage(sse: bytes) -> bytes:
    """One event without the usage that the caller did not ask for; ``b""`` if it carried nothing else."""
    if b'"usage"' not in sse:
        return sse
    if b'"choices":[]' in sse or b'"choices": []' in sse:
        return b"" if _is_usage_event(sse) else sse
    # Inside a JSON string the quotes would be escaped, so this pattern only matches structure.
    return _USAGE_NULL.sub(b"", sse)


def _is_usage_event(sse: bytes) -> bool:
    try:
        body = msgspec.json.decode(data_of(sse))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(body, dict) and body.get("choices") == [] and bool(body.get("usage")) and "error" not in body


def events(raw: bytes) -> list[bytes]:
    """A recorded stream as events; a last one without its blank line included."""
    splitter = EventSplitter()
    found = splitter.feed(raw)
    if splitter.rest.strip():
        found.append(splitter.rest)
    return found


def as_events(raw: bytes, *, streamed: bool, usage: bool) -> bytes:
    """The reply as server-sent events, with the usage event or without."""
    if not streamed:
        return _from_json(raw, usage)
    return raw if usage else b"".join(hide_usage(one) for one in events(raw))


def as_json(raw: bytes, *, streamed: bool) -> bytes:
    """The reply as one JSON body."""
    return _ENCODE(assemble(raw)) if streamed else raw


def _from_json(raw: bytes, usage: bool) -> bytes:
    body: dict[str, Any] = msgspec.json.decode(raw)
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    out = []
    for choice in body.get("choices", ()):
        for delta, extra in _deltas(choice):
            out.append(
                event(_ENCODE({**head, "choices": [{"index": choice.get("index", 0), "delta": delta, **extra}]}))
            )
    if usage and body.get("usage"):
        out.append(event(_ENCODE({**head, "choices": [], "usage": body["usage"]})))
    return b"".join([*out, DONE])


def _deltas(choice: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Role first, then the content at once, then the reason it ended: the order in which providers stream."""
    message = dict(choice.get("message") or {})
    role = message.pop("role", "assistant")
    rest = {name: value for name, value in choice.items() if name not in ("index", "message", "finish_reason")}
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [{"index": i, **call} for i, call in enumerate(message["tool_calls"])]
    start: dict[str, Any] = {"role": role}
    if isinstance(message.get("content"), str):
        start["content"] = ""
    return [
        (start, {"logprobs": None, "finish_reason": None}),
        (message, {"logprobs": None, **rest, "finish_reason": None}),
        ({}, {"logprobs": None, "finish_reason": choice.get("finish_reason")}),
    ]


def assemble(raw: bytes) -> dict[str, Any]:
    """A recorded stream as the ``chat.completion`` it amounts to; unknown fields are kept, the last one wins."""
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for one in events(raw):
        data = data_of(one)
        if data in (b"", b"[DONE]"):
            continue
        chunk = msgspec.json.decode(data)
        for choice in chunk.pop("choices", None) or ():
            _merge_choice(choices.setdefault(choice.get("index", 0), {"index": choice.get("index", 0)}), choice)
        body.update({name: value for name, value in chunk.items() if value is not None or name not in body})
    body["object"] = "chat.completion"
    body["choices"] = [_finish_choice(choices[index]) for index in sorted(choices)]
    return body


def _merge_choice(into: dict[str, Any], choice: dict[str, Any]) -> None:
    for name, value in choice.items():
        if name == "delta":
            _merge(into.setdefault("message", {}), value or {})
        elif name == "logprobs" and isinstance(value, dict):
            into["logprobs"] = into.get("logprobs") or {}
            _merge(into["logprobs"], value)
        elif value is not None or name not in into:
            into[name] = value


_SCALARS = ("role", "id", "type", "name", "index", "format", "signature")
"""Strings that are said once, or said again whole; every other string of a delta is a piece to append."""


def _merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        old = into.get(name)
        if old is None or value is None:
            into[name] = value if old is None else old
            if isinstance(into[name], list) and old is None:
                into[name] = _merge_list([], value)
        elif isinstance(old, str) and isinstance(value, str) and name not in _SCALARS:
            into[name] = old + value
        elif isinstance(old, list) and isinstance(value, list):
            into[name] = _merge_list(old, value)
        elif isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif value != "":
            into[name] = value


def _merge_list(old: list[Any], new: list[Any]) -> list[Any]:
    """Items with an ``index`` merge with the item of that index; all others are appended."""
    for item in new:
        known = next((o for o in old if _same_index(o, item)), None)
        if known is None:
            old.append(dict(item) if isinstance(item, dict) else item)
        else:
            _merge(known, item)
    return old


def _same_index(old: object, item: object) -> bool:
    if not (isinstance(old, dict) and isinstance(item, dict)):
        return False
    return "index" in item and old.get("index") == item["index"]


def _finish_choice(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.setdefault("message", {})
    message.setdefault("role", "assistant")
    message.setdefault("content", None)
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    choice.setdefault("finish_reason", None)
    return choice
