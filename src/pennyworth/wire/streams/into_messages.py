"""Pieces as Anthropic's stream events. One content block is open at a time, so what comes for another waits.

A tool call makes way as soon as its arguments are a whole JSON value: nothing can be added to that. The usage is said
at the end, where the running totals of ``message_delta`` replace the zeros of ``message_start``.
"""

from __future__ import annotations

from typing import Any

from pennyworth.money import Usage
from pennyworth.wire import loose
from pennyworth.wire.streams.events import typed
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

_STOPS: dict[Reason, str] = {
    "complete": "end_turn",
    "length": "max_tokens",
    "filtered": "refusal",
    "tools": "tool_use",
}
_DELTAS: dict[Kind, bytes] = {
    "text": b'"text_delta","text":',
    "refusal": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool": b'"input_json_delta","partial_json":',
}
_ERRORS = frozenset((
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
))  # fmt: skip


class MessagesWriter:
    """``_open``: the number of the open block, -1 without one; ``_waiting``: pieces of blocks whose turn is yet to come."""

    __slots__ = ("_arguments", "_asked_at", "_head", "_index", "_kind", "_open", "_refused", "_waiting")

    def __init__(self) -> None:
        self._open = -1
        self._kind: Kind = "text"
        self._index = -1
        self._head = b""
        self._arguments: list[str] = []
        self._asked_at = 0
        self._waiting: dict[int, list[Piece]] = {}
        self._refused = False

    def write(self, piece: Piece) -> bytes:
        match piece:
            case Said() | Signed() | Closed():
                return self._go_on(piece)
            case Opened():
                self._waiting[piece.block] = [piece]
                return self._make_way()
            case Began():
                return _event("message_start", message=_message(piece))
            case Ended():
                return self._end(piece)
            case Failed():
                kind = piece.kind if piece.kind in _ERRORS else "api_error"
                return _event("error", error={"type": kind, "message": piece.message})
        return b""

    def _go_on(self, piece: Said | Signed | Closed) -> bytes:
        if piece.block == self._open:
            return self._say(piece)
        waiting = self._waiting.get(piece.block)
        if waiting is None:
            return b""
        waiting.append(piece)
        return self._make_way()

    def _say(self, piece: Said | Signed | Closed) -> bytes:
        match piece:
            case Said():
                if self._kind == "tool":
                    self._arguments.append(piece.text)
                return self._head + loose.write(piece.text) + b"}}\n\n"
            case Signed():
                return self._sign(piece.signature)
            case Closed():
                return self._close() + self._next()

    def _make_way(self) -> bytes:
        if self._open < 0 or (self._kind == "tool" and self._is_whole()):
            return (self._close() if self._open >= 0 else b"") + self._next()
        return b""

    def _is_whole(self) -> bool:
        """Looked at once for each piece of them, however much waits meanwhile."""
        pieces = len(self._arguments)
        if pieces == self._asked_at or not self._arguments[-1].rstrip().endswith("}"):
            return False
        self._asked_at = pieces
        try:
            loose.read("".join(self._arguments).encode("utf-8", "surrogatepass"))
        except loose.UNREADABLE:
            return False
        return True

    def _next(self) -> bytes:
        """Opens the blocks that wait, each if the one before it has closed."""
        out = b""
        while self._waiting and self._open < 0:
            block = next(iter(self._waiting))
            opened, *rest = self._waiting.pop(block)
            assert isinstance(opened, Opened)
            out += self._begin(opened)
            for piece in rest:
                out += self._close() if isinstance(piece, Closed) else self._say(piece)  # type: ignore[arg-type]
        return out

    def _begin(self, opened: Opened) -> bytes:
        self._open, self._kind, self._arguments, self._asked_at = opened.block, opened.kind, [], 0
        self._index += 1
        if opened.kind == "sealed":
            return b""  # begun with what it seals
        self._refused = self._refused or opened.kind == "refusal"
        self._head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":' % (
            self._index
        )
        self._head += _DELTAS[opened.kind]
        return _event("content_block_start", index=self._index, content_block=_block(opened))

    def _sign(self, signature: str) -> bytes:
        if self._kind == "sealed":
            block = {"type": "redacted_thinking", "data": signature}
            return _event("content_block_start", index=self._index, content_block=block)
        return _event(
            "content_block_delta", index=self._index, delta={"type": "signature_delta", "signature": signature}
        )

    def _close(self) -> bytes:
        self._open = -1
        return _event("content_block_stop", index=self._index)

    def _end(self, piece: Ended) -> bytes:
        reason = "stop_sequence" if piece.stop else _STOPS[piece.reason]
        if self._refused and piece.reason == "complete":
            reason = "refusal"
        delta = {"stop_reason": reason, "stop_sequence": piece.stop or None}
        return _event("message_delta", delta=delta, usage=as_usage(piece.usage)) + _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return typed(kind.encode(), loose.write({"type": kind, **fields}))


def _message(began: Began) -> dict[str, Any]:
    return {
        "id": began.id,
        "type": "message",
        "role": "assistant",
        "model": began.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _block(opened: Opened) -> dict[str, Any]:
    match opened.kind:
        case "tool":
            return {"type": "tool_use", "id": opened.id, "name": opened.name, "input": {}}
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def as_usage(usage: Usage | None) -> dict[str, Any]:
    """Anthropic counts what came from the cache, and went into it, apart from the input."""
    if usage is None:
        return {"output_tokens": 0}
    counts: dict[str, Any] = {
        "input_tokens": max(usage.input - usage.cached - usage.cache_write, 0),
        "output_tokens": usage.output,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
    }
    if usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts
