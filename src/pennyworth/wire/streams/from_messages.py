"""Anthropic's stream events as pieces (docs.anthropic.com, "Streaming messages").

Blocks come one after the other. What a server tool did (``server_tool_use``, ``web_search_tool_result`` and the like)
and citations have no words elsewhere. Usage counts are running totals; the last one said holds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.wire import loose
from pennyworth.wire.messages.body import ENDINGS
from pennyworth.wire.messages.usage import Counts, merged, read_counts
from pennyworth.wire.streams.blocks import Blocks
from pennyworth.wire.streams.events import data_of, decoded
from pennyworth.wire.streams.failures import failed, says_error, unheard_of, unreadable
from pennyworth.wire.streams.pieces import Began, Ended, Failed, Kind, Piece, Reason

REASONS: dict[str, Reason] = {
    "end_turn": "complete",
    "stop_sequence": "complete",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "filtered",
    "pause_turn": "complete",
}
_NULL_LENGTH = len(b"null")
_MAKER = "anthropic-claude-v1"
_KINDS: dict[str, Kind] = {
    "text": "text", "thinking": "thinking", "redacted_thinking": "sealed", "tool_use": "tool",
}  # fmt: skip


class _Message(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    usage: msgspec.Raw = msgspec.Raw(b"")


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


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)


class MessagesReader:
    __slots__ = ("_blocks", "_counts", "_over", "_reason", "_stop")

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._counts: Counts | None = None
        self._reason = ""
        self._stop = ""
        self._over = False

    def read(self, event: bytes) -> list[Piece]:
        data = b"" if self._over else data_of(event)
        if not data or data.startswith(b"[DONE]"):
            return []
        found = decoded(_EVENT, data)
        if says_error(event) or (found is not None and (found.error is not None or found.type == "error")):
            return self._fail(failed(data))
        return self._fail(unreadable()) if found is None else self._take(found)

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
        return []

    def _fail(self, why: Failed) -> list[Piece]:
        self._over = True
        return [why]

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
            # A good end does not take back a bad one that was given before it.
            if ENDINGS.get(self._reason, "complete") == "complete":
                self._reason = event.delta.stop_reason or self._reason
            self._stop = event.delta.stop_sequence or self._stop

    def _count(self, usage: msgspec.Raw) -> None:
        counts = read_counts(bytes(usage)) if len(usage) > _NULL_LENGTH else None
        if counts is not None:
            self._counts = merged(self._counts, counts)

    def _end(self) -> list[Piece]:
        self._over = True
        reason = REASONS.get(self._reason)
        if reason is None:
            return [unheard_of(self._reason)]
        return [*self._blocks.close_all(), Ended(reason, self._counts.usage() if self._counts else None, self._stop)]
