"""Anthropic's stream events as pieces (docs.anthropic.com, "Streaming messages").

Blocks come one after the other. What a server tool did (``server_tool_use``, ``web_search_tool_result`` and the like)
and citations have no words elsewhere. Usage counts are running totals; the last one said holds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.money import Usage
from pennyworth.wire import loose
from pennyworth.wire.streams.blocks import Blocks
from pennyworth.wire.streams.events import data_of, decoded
from pennyworth.wire.streams.pieces import Began, Ended, Failed, Kind, Piece, Reason, unheard_of

REASONS: dict[str, Reason] = {
    "end_turn": "complete",
    "stop_sequence": "complete",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "filtered",
    "pause_turn": "complete",
}
_MAKER = "anthropic-claude-v1"
_KINDS: dict[str, Kind] = {
    "text": "text", "thinking": "thinking", "redacted_thinking": "sealed", "tool_use": "tool",
}  # fmt: skip


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    usage: _Usage | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: Any = None


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Error(msgspec.Struct, gc=False):
    type: str | None = None
    message: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_EVENT = msgspec.json.Decoder(_Event)


class MessagesReader:
    __slots__ = ("_blocks", "_counts", "_over", "_reason", "_stop")

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._counts: dict[str, int] = {}
        self._reason = ""
        self._stop = ""
        self._over = False

    def read(self, event: bytes) -> list[Piece]:
        data = b"" if self._over else data_of(event)
        found = decoded(_EVENT, data) if data else None
        return [] if found is None else self._take(found)

    def finish(self) -> list[Piece]:
        """Without ``message_stop`` the reply broke off."""
        return []

    def _take(self, event: _Event) -> list[Piece]:
        match event.type:
            case "content_block_delta":
                return self._hear(event.index, event.delta) if event.delta else []
            case "content_block_start":
                return self._open(event.index, event.content_block) if event.content_block else []
            case "content_block_stop":
                return self._blocks.close(event.index)
            case "message_start":
                return self._begin(event.message or _Message())
            case "message_delta":
                self._note(event)
            case "message_stop":
                return self._end()
            case "error":
                self._over = True
                error = event.error or _Error()
                return [Failed(error.type or "api_error", error.message or "The provider sent an error.")]
        return []

    def _begin(self, message: _Message) -> list[Piece]:
        self._count(message.usage)
        return [Began(message.id, message.model)]

    def _open(self, index: int, block: _Block) -> list[Piece]:
        kind = _KINDS.get(block.type)
        if kind is None:
            return []
        pieces = self._blocks.open(index, kind, block.id or "", block.name or "")
        pieces += self._blocks.say(index, block.text or block.thinking or "")
        if block.input:  # imitators that give a call whole
            pieces += self._blocks.say(index, loose.write(block.input).decode("utf-8", "replace"))
        return pieces + self._blocks.sign(index, block.data or block.signature or "", _MAKER)

    def _hear(self, index: int, delta: _Delta) -> list[Piece]:
        if delta.signature:
            return self._blocks.sign(index, delta.signature, _MAKER)
        return self._blocks.say(index, delta.text or delta.partial_json or delta.thinking or "")

    def _note(self, event: _Event) -> None:
        self._count(event.usage)
        if event.delta is not None:
            self._reason = event.delta.stop_reason or self._reason
            self._stop = event.delta.stop_sequence or self._stop

    def _count(self, usage: _Usage | None) -> None:
        if usage is not None:
            details = usage.output_tokens_details or _OutputDetails()
            counts = {**{name: getattr(usage, name) for name in _COUNTED}, "thinking": details.thinking_tokens}
            self._counts.update({name: count for name, count in counts.items() if count is not None})

    def _end(self) -> list[Piece]:
        self._over = True
        reason = REASONS.get(self._reason)
        if reason is None:
            return [unheard_of(self._reason)]
        return [*self._blocks.close_all(), Ended(reason, self._usage(), self._stop)]

    def _usage(self) -> Usage | None:
        """Anthropic counts what came from the cache, and went into it, apart from the input."""
        if not self._counts:
            return None
        read, written = (self._counts.get(name, 0) for name in _CACHE)
        return Usage(
            input=self._counts.get("input_tokens", 0) + read + written,
            output=self._counts.get("output_tokens", 0),
            cached=read,
            cache_write=written,
            reasoning=self._counts.get("thinking", 0),
        )


_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
_COUNTED = ("input_tokens", "output_tokens", *_CACHE)
