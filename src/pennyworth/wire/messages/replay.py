"""Gives a recorded Messages reply again, as JSON or as events, whichever way it came.

A reply recorded in the form that is asked for is given byte for byte; the other form is made from it as Anthropic streams
(``assembly`` has the way from events to JSON).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pennyworth.wire import loose
from pennyworth.wire.messages.assembly import assemble

_AT_THE_END = ("stop_reason", "stop_sequence", "stop_details", "container")
"""Fields of a message that a stream says in the ``delta`` of its last event but one."""

_BESIDE_THE_END = ("context_management",)

_COUNTED_AT_THE_END = ("output_tokens_details", "server_tool_use", "iterations")


def as_json(raw: bytes, *, streamed: bool) -> bytes:
    """The reply as one JSON body."""
    return loose.write(assemble(raw)) if streamed else raw


def as_events(raw: bytes, *, streamed: bool, usage: bool = True) -> bytes:
    """The reply as server-sent events; usage is always in them."""
    if streamed:
        return raw
    body: dict[str, Any] = loose.read(raw)
    if body.get("type") == "error" or "error" in body:
        return _event({"type": "error", **body})
    return b"".join(map(_event, _events(body)))


def hide_usage(event: bytes) -> bytes:
    """The event as it is: nobody has to ask for usage in this dialect."""
    return event


def _event(fields: dict[str, Any]) -> bytes:
    kind: str = fields["type"]
    return b"event: " + kind.encode() + b"\ndata: " + loose.write(fields) + b"\n\n"


def _events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    usage = body.get("usage")
    yield {"type": "message_start", "message": _start(body, usage)}
    for index, block in enumerate(body.get("content") or ()):
        yield from _block(index, block)
    end = {name: body[name] for name in _AT_THE_END if name in body}
    beside = {name: body[name] for name in _BESIDE_THE_END if name in body}
    counted = {"usage": _final(usage)} if isinstance(usage, dict) else {}
    yield {"type": "message_delta", "delta": end, **counted, **beside}
    yield {"type": "message_stop"}


def _start(body: dict[str, Any], usage: Any) -> dict[str, Any]:
    """The message before anything was said: no content, no reason to stop, only the prompt counted."""
    silent = {name: None for name in _AT_THE_END[:3] if name in body}
    left_out = {"container", *_BESIDE_THE_END}
    start = {name: value for name, value in body.items() if name not in left_out} | {"content": [], **silent}
    if isinstance(usage, dict):
        counted = {name: value for name, value in usage.items() if name not in _COUNTED_AT_THE_END}
        start["usage"] = {**counted, "output_tokens": 0}
    return start


def _final(usage: dict[str, Any]) -> dict[str, Any]:
    """The counts, as they are at the end; what is no count is only said at the start."""
    return {name: value for name, value in usage.items() if name.endswith("_tokens") or name in _COUNTED_AT_THE_END}


def _block(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start, deltas = _opened(block)
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a block begins, and the pieces that make it whole; most kinds come whole at once."""
    match block:
        case {"type": "text", "text": str(text)}:
            return _text(block, text)
        case {"type": "thinking", "thinking": str(thinking)}:
            said = [{"type": "thinking_delta", "thinking": thinking}] if thinking else []
            if "signature" not in block:
                return {**block, "thinking": ""}, said
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*said, signed]
        case {"type": "tool_use" | "server_tool_use" | "mcp_tool_use", "input": dict(given)}:
            written = loose.write(given).decode() if given else ""
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": written}]
    return block, []


def _text(block: dict[str, Any], text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    said = [{"type": "text_delta", "text": text}] if text else []
    citations = block.get("citations")
    if not isinstance(citations, list):
        return {**block, "text": ""}, said
    cited = [{"type": "citations_delta", "citation": citation} for citation in citations]
    return {**block, "text": "", "citations": []}, [*cited, *said]
