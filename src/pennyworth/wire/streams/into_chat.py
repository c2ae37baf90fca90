"""Pieces as OpenAI chat completion chunks: the role first, then what is said, why it ended, the usage, ``[DONE]``.

Thinking is ``reasoning_content``, which most clients know; what must be handed back with it (a signature, sealed
thinking) comes as OpenRouter's ``reasoning_details``, whole, once the block is.
"""

from __future__ import annotations

from typing import Any

from pennyworth.money import Usage
from pennyworth.wire import loose
from pennyworth.wire.sse import DONE, event
from pennyworth.wire.streams.pieces import (
    Began,
    Ended,
    Failed,
    Kind,
    Opened,
    Piece,
    Reason,
    Said,
    Signed,
)

_FINISH: dict[Reason, str] = {
    "complete": "stop",
    "length": "length",
    "filtered": "content_filter",
    "tools": "tool_calls",
}
_NAMES: dict[Kind, bytes] = {"text": b"content", "thinking": b"reasoning_content", "refusal": b"refusal"}


class ChatWriter:
    """``usage``: the caller asked for the usage event. ``_thoughts``: texts of thinking that have no details yet."""

    __slots__ = ("_began", "_details", "_heads", "_kinds", "_tail", "_thoughts", "_tools", "_usage", "_used")

    def __init__(self, *, usage: bool) -> None:
        self._usage = usage
        self._began = _head(Began("", ""))
        self._tail = b'},"finish_reason":null}],"usage":null}\n\n' if usage else b'},"finish_reason":null}]}\n\n'
        self._used = False
        self._heads: dict[int, bytes] = {}
        self._kinds: dict[int, Kind] = {}
        self._tools = 0
        self._thoughts: dict[int, list[str]] = {}
        self._details = 0

    def write(self, piece: Piece) -> bytes:
        match piece:
            case Said():
                return self._say(piece)
            case Began():
                self._began = _head(piece)
            case Opened():
                return self._open(piece)
            case Signed():
                return self._sign(piece)
            case Ended():
                return self._end(piece)
            case Failed():
                error = {"message": piece.message, "type": piece.kind, "param": None, "code": piece.code or None}
                return event(loose.write({"error": error}))
        return b""

    def _say(self, piece: Said) -> bytes:
        head = self._heads.get(piece.block)
        if head is None:
            return b""
        if piece.block in self._thoughts:
            self._thoughts[piece.block].append(piece.text)
        close = b"}}]" if self._kinds[piece.block] == "tool" else b""
        return head + loose.write(piece.text) + close + self._tail

    def _open(self, piece: Opened) -> bytes:
        self._kinds[piece.block] = piece.kind
        role = self._role(b'""' if piece.kind == "text" else b"null")
        if piece.kind == "tool":
            return role + self._open_tool(piece)
        if piece.kind == "sealed":
            return role
        if piece.kind == "thinking":
            self._thoughts[piece.block] = []
        self._heads[piece.block] = self._began + b'"' + _NAMES[piece.kind] + b'":'
        return role

    def _role(self, content: bytes) -> bytes:
        if self._used:
            return b""
        self._used = True
        return self._began + b'"role":"assistant","content":' + content + self._tail

    def _open_tool(self, piece: Opened) -> bytes:
        index, self._tools = self._tools, self._tools + 1
        head = self._began + b'"tool_calls":[{"index":%d,"function":{"arguments":' % index
        self._heads[piece.block] = head
        function = {"name": piece.name, "arguments": ""}
        call = {"index": index, "id": piece.id, "type": "function", "function": function}
        return self._began + b'"tool_calls":' + loose.write([call]) + self._tail

    def _sign(self, piece: Signed) -> bytes:
        thought = self._thoughts.pop(piece.block, None)
        detail: dict[str, Any] = {"type": "reasoning.encrypted", "data": piece.signature}
        if thought is not None:
            detail = {"type": "reasoning.text", "text": "".join(thought), "signature": piece.signature}
        if piece.maker:
            detail["format"] = piece.maker
        return self._unsigned() + self._detail(detail)

    def _unsigned(self) -> bytes:
        """Where one thought has details all of them have, since they are what a client sends back."""
        texts = ["".join(said) for said in self._thoughts.values()]
        self._thoughts.clear()
        return b"".join([self._detail({"type": "reasoning.text", "text": text}) for text in texts])

    def _detail(self, detail: dict[str, Any]) -> bytes:
        detail["index"], self._details = self._details, self._details + 1
        return self._began + b'"reasoning_details":' + loose.write([detail]) + self._tail

    def _end(self, piece: Ended) -> bytes:
        rest = self._unsigned() if self._details else b""
        finish = self._began + b'},"finish_reason":"' + _FINISH[piece.reason].encode() + b'"}]'
        finish += b',"usage":null}\n\n' if self._usage else b"}\n\n"
        return self._role(b'""') + rest + finish + self._count(piece.usage) + DONE

    def _count(self, usage: Usage | None) -> bytes:
        if usage is None or not self._usage:
            return b""
        head, _, _ = self._began.partition(b'"choices":')
        return head + b'"choices":[],"usage":' + loose.write(as_usage(usage)) + b"}\n\n"


def _head(began: Began) -> bytes:
    """Everything of a chunk before its first delta field."""
    named = {"id": began.id, "object": "chat.completion.chunk", "created": began.created, "model": began.model}
    return b"data: " + loose.write(named)[:-1] + b',"choices":[{"index":0,"delta":{'


def as_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
