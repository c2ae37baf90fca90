"""Puts a recorded stream together as the message it amounts to, as the official SDK does (``anthropic.lib.streaming``).

What cannot be read is passed over: the recorder has judged the stream, this only renders it.
"""

from __future__ import annotations

from typing import Any

from pennyworth.wire import loose
from pennyworth.wire.sse import EventSplitter, data_of

_BESIDE = ("type", "delta", "usage")


def assemble(raw: bytes) -> dict[str, Any]:
    """The message; unknown fields are kept, the last one wins. An error, where the stream ended with one."""
    assembly = _Assembly()
    splitter = EventSplitter()
    for one in [*splitter.feed(raw), splitter.rest]:
        try:
            event = loose.read(data_of(one))
        except loose.UNREADABLE:
            continue
        if isinstance(event, dict):
            assembly.add(event)
    return assembly.message()


class _Assembly:
    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._error: dict[str, Any] = {}

    def add(self, event: dict[str, Any]) -> None:
        if event.get("type") == "content_block_delta":  # nearly all of a stream
            index, delta = event.get("index"), event.get("delta")
            if isinstance(index, int) and index in self._blocks and isinstance(delta, dict):
                self._extend(index, delta)
            return
        match event:
            case {"type": "message_start", "message": dict(message)}:
                self._message = message
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                self._blocks[index] = block
            case {"type": "message_delta"}:
                self._end(event)
            case {"error": dict()}:
                self._error = event

    def message(self) -> dict[str, Any]:
        for (index, name), pieces in self._pieces.items():
            block, text = self._blocks[index], "".join(pieces)
            block[name] = _input(text, block.get(name)) if name == "input" else (block.get(name) or "") + text
        if self._error:
            return self._error
        return {**self._message, "content": [self._blocks[index] for index in sorted(self._blocks)]}

    def _extend(self, index: int, delta: dict[str, Any]) -> None:
        match delta.get("type"):
            case "input_json_delta":
                self._pieces.setdefault((index, "input"), []).append(str(delta.get("partial_json", "")))
            case "citations_delta":
                block = self._blocks[index]
                block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
            case "signature_delta":
                self._blocks[index]["signature"] = delta.get("signature")
            case _:
                self._extend_fields(index, delta)

    def _extend_fields(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks[index]
        for name, value in delta.items():
            if name == "type":
                continue
            if isinstance(value, str) and isinstance(block.get(name), str | None):
                self._pieces.setdefault((index, name), []).append(value)
            else:
                block[name] = value

    def _end(self, event: dict[str, Any]) -> None:
        """Counts are cumulative: a later one stands for an earlier one."""
        delta, usage, known = event.get("delta"), event.get("usage"), self._message.get("usage")
        self._message |= {name: value for name, value in event.items() if name not in _BESIDE}
        if isinstance(delta, dict):
            self._message |= delta
        if isinstance(usage, dict):
            said = {name: value for name, value in usage.items() if value is not None}
            self._message["usage"] = {**usage, **known, **said} if isinstance(known, dict) else usage


def _input(text: str, begun: Any) -> Any:
    """A tool's input. One that broke off, or is no JSON, is wrapped as Anthropic advises ("Fine-grained tool streaming")."""
    if not text:
        return begun
    try:
        return loose.read(text.encode("utf-8", "surrogatepass"))
    except loose.UNREADABLE:
        return {"INVALID_JSON": text}
