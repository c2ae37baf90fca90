"""Pieces as events of OpenAI's Responses API. Each block is an output item; the last event holds all of them again.

What only the request knows (its tools, its instructions) is not repeated, as the API would.
"""

from __future__ import annotations

from typing import Any

from pennyworth.money import Usage
from pennyworth.wire import loose
from pennyworth.wire.streams.events import typed
from pennyworth.wire.streams.failures import lost_call
from pennyworth.wire.streams.pieces import (
    Began,
    Closed,
    Ended,
    Failed,
    Kind,
    Opened,
    Piece,
    Reason,
    Said,
    Signed,
)

_INCOMPLETE: dict[Reason, str] = {"length": "max_output_tokens", "filtered": "content_filter"}
_NAMES: dict[Kind, str] = {
    "text": "response.output_text",
    "refusal": "response.refusal",
    "thinking": "response.reasoning_summary_text",
    "tool": "response.function_call_arguments",
}
_FIELDS: dict[Kind, str] = {"text": "text", "refusal": "refusal", "thinking": "text", "tool": "arguments"}
_PREFIXES: dict[Kind, str] = {"text": "msg", "refusal": "msg", "thinking": "rs", "sealed": "rs", "tool": "fc"}


class _Item:
    """An output item that is being said. ``sealed``: a signature is handed back as what is sealed is."""

    __slots__ = ("head", "id", "index", "opened", "said", "sealed")

    def __init__(self, opened: Opened, index: int, id: str) -> None:
        self.opened = opened
        self.index = index
        self.id = id
        self.said: list[str] = []
        self.sealed = ""
        self.head = b""
        if opened.kind != "sealed":
            kind = f"{_NAMES[opened.kind]}.delta"
            begun = loose.write({"type": kind, **self.place(), **_BESIDE.get(opened.kind, {})})
            self.head = b"event: " + kind.encode() + b"\ndata: " + begun[:-1] + b',"delta":'

    def place(self) -> dict[str, Any]:
        """What names the part of the item that an event is about."""
        where: dict[str, Any] = {"item_id": self.id, "output_index": self.index}
        match self.opened.kind:
            case "text" | "refusal":
                where["content_index"] = 0
            case "thinking":
                where["summary_index"] = 0
        return where

    @property
    def text(self) -> str:
        return "".join(self.said)

    def part(self, text: str) -> dict[str, Any]:
        match self.opened.kind:
            case "text":
                return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
            case "refusal":
                return {"type": "refusal", "refusal": text}
        return {"type": "summary_text", "text": text}

    def whole(self, status: str) -> dict[str, Any]:
        """The item as it stands; a part of it is there once it has closed."""
        done = status == "completed"
        match self.opened.kind:
            case "tool":
                call = {"arguments": self.text, "call_id": self.opened.id, "name": self.opened.name}
                return {"id": self.id, "type": "function_call", "status": status, **call}
            case "text" | "refusal":
                content = [self.part(self.text)] if done else []
                return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}
        summary = [self.part(self.text)] if done and self.opened.kind == "thinking" else []
        sealed = {"encrypted_content": self.sealed} if self.sealed else {}
        return {"id": self.id, "type": "reasoning", "summary": summary, **sealed}


_BESIDE: dict[Kind, dict[str, Any]] = {"text": {"logprobs": []}}


class ResponsesWriter:
    __slots__ = ("_began", "_items", "_number", "_output")

    def __init__(self) -> None:
        self._began = Began("", "")
        self._number = 0
        self._items: dict[int, _Item] = {}
        self._output: list[_Item] = []

    def write(self, piece: Piece) -> bytes:
        match piece:
            case Said():
                return self._say(piece)
            case Opened():
                return self._open(piece)
            case Signed():
                if piece.block in self._items:
                    self._items[piece.block].sealed = piece.signature
            case Closed():
                return self._close(piece)
            case Began():
                self._began = piece
                begun = self._response("in_progress")
                return self._tell("response.created", response=begun) + self._tell(
                    "response.in_progress", response=begun
                )
            case Ended():
                return self._end(piece)
            case Failed():
                return self._fail(piece)
        return b""

    def _tell(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return typed(kind.encode(), loose.write({"type": kind, **fields, "sequence_number": number}))

    def _say(self, piece: Said) -> bytes:
        item = self._items.get(piece.block)
        if item is None:
            return b""
        item.said.append(piece.text)
        number, self._number = self._number, self._number + 1
        return item.head + loose.write(piece.text) + b',"sequence_number":%d}\n\n' % number

    def _open(self, piece: Opened) -> bytes:
        index = len(self._output)
        item = _Item(piece, index, f"{_PREFIXES[piece.kind]}_{self._began.id}_{index}")
        self._items[piece.block] = item
        self._output.append(item)
        added = self._tell("response.output_item.added", output_index=index, item=item.whole("in_progress"))
        name = _part_of(piece.kind)
        return added + (self._tell(f"{name}.added", **item.place(), part=item.part("")) if name else b"")

    def _close(self, piece: Closed) -> bytes:
        item = self._items.pop(piece.block, None)
        if item is None:
            return b""
        kind, out = item.opened.kind, b""
        if kind != "sealed":
            said = {_FIELDS[kind]: item.text, **_BESIDE.get(kind, {})}
            out += self._tell(f"{_NAMES[kind]}.done", **item.place(), **said)
        name = _part_of(kind)
        if name:
            out += self._tell(f"{name}.done", **item.place(), part=item.part(item.text))
        return out + self._tell("response.output_item.done", output_index=item.index, item=item.whole("completed"))

    def _end(self, piece: Ended) -> bytes:
        """Elsewhere the reason tells that a tool was to run; here it is the calls that tell."""
        if piece.reason == "tools" and not any(item.opened.kind == "tool" for item in self._output):
            return self._fail(lost_call())
        why = _INCOMPLETE.get(piece.reason)
        status = "incomplete" if why else "completed"
        response = self._response(status, piece.usage)
        response["incomplete_details"] = {"reason": why} if why else None
        return self._tell(f"response.{status}", response=response)

    def _fail(self, piece: Failed) -> bytes:
        """As the API's ``error`` event; the ``error`` within is what makes the official SDK raise."""
        code = piece.code or piece.kind
        error = {"type": piece.kind, "code": code, "message": piece.message, "param": None}
        return self._tell("error", code=code, message=piece.message, param=None, error=error)

    def _response(self, status: str, usage: Usage | None = None) -> dict[str, Any]:
        output = [] if status == "in_progress" else [item.whole("completed") for item in self._output]
        return {
            "id": self._began.id,
            "object": "response",
            "created_at": self._began.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self._began.model,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": as_usage(usage) if usage else None,
        }


def _part_of(kind: Kind) -> str:
    """The events that announce a part of an item; a call has none."""
    match kind:
        case "text" | "refusal":
            return "response.content_part"
        case "thinking":
            return "response.reasoning_summary_part"
    return ""


def as_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
