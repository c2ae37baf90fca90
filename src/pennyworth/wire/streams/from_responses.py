"""Events of OpenAI's Responses API as pieces (platform.openai.com, "Streaming events").

Each part of an output item has its place: texts of a message, and of a reasoning's summary or content. What hosted tools
did has no words elsewhere.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from pennyworth.money import Usage
from pennyworth.wire.streams.blocks import Blocks
from pennyworth.wire.streams.events import data_of, decoded
from pennyworth.wire.streams.pieces import Began, Ended, Failed, Kind, Piece, Reason

_DELTAS: dict[str, Kind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning_text.delta": "thinking",
}
_WHOLE: dict[str, Kind] = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.reasoning_summary_text.done": "thinking",
    "response.reasoning_text.done": "thinking",
}
_INCOMPLETE: dict[str, Reason] = {"content_filter": "filtered"}


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Error(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None
    type: str | None = None


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    created_at: float = 0
    error: _Error | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    encrypted_content: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: Any = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    item: _Item | None = None
    response: _Response | None = None
    error: _Error | None = None
    code: str | None = None
    message: str | None = None


_EVENT = msgspec.json.Decoder(_Event)
_MAKER = "openai-responses-v1"


class ResponsesReader:
    """``_said``: the places of which something was said."""

    __slots__ = ("_began", "_blocks", "_calls", "_over", "_said")

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._said: set[Hashable] = set()
        self._began = False
        self._calls = False
        self._over = False

    def read(self, event: bytes) -> list[Piece]:
        data = b"" if self._over else data_of(event)
        found = decoded(_EVENT, data) if data and not data.startswith(b"[DONE]") else None
        if found is None:
            return []
        return self._begin(found.response) + self._take(found)

    def finish(self) -> list[Piece]:
        """Without ``response.completed`` the reply broke off."""
        return []

    def _begin(self, response: _Response | None) -> list[Piece]:
        if self._began or response is None:
            return []
        self._began = True
        return [Began(response.id, response.model, int(response.created_at))]

    def _take(self, event: _Event) -> list[Piece]:
        kind = _DELTAS.get(event.type)
        if kind is not None:
            return self._speak(event, kind, event.delta if isinstance(event.delta, str) else "")
        match event.type:
            case "response.function_call_arguments.delta":
                return self._argue(event, event.delta if isinstance(event.delta, str) else "")
            case "response.output_item.added":
                return self._add(event, event.item) if event.item else []
            case "response.output_item.done":
                return self._done(event, event.item) if event.item else []
            case "response.completed" | "response.incomplete" | "response.failed" | "error":
                return self._end(event)
        return self._whole(event)

    def _speak(self, event: _Event, kind: Kind, text: str) -> list[Piece]:
        place = _place(event)
        pieces: list[Piece] = [] if place in self._said else self._blocks.open(place, kind)
        self._said.add(place)
        return pieces + self._blocks.say(place, text)

    def _whole(self, event: _Event) -> list[Piece]:
        """What is said again at its end counts where it was not said before."""
        kind = _WHOLE.get(event.type)
        if kind is None:
            return []
        place, text = _place(event), event.text or event.refusal or ""
        pieces = self._speak(event, kind, text) if text and place not in self._said else []
        return pieces + self._blocks.close(place)

    def _argue(self, event: _Event, text: str) -> list[Piece]:
        if text:
            self._said.add(event.output_index)
        return self._blocks.say(event.output_index, text)

    def _add(self, event: _Event, item: _Item) -> list[Piece]:
        if item.type != "function_call" or not item.name:
            return []
        self._calls = True
        pieces = self._blocks.open(event.output_index, "tool", item.call_id or "", item.name)
        return pieces + self._argue(event, item.arguments or "")

    def _done(self, event: _Event, item: _Item) -> list[Piece]:
        if item.type == "function_call":
            said = [] if event.output_index in self._said else self._argue(event, item.arguments or "")
            return [*said, *self._blocks.close(event.output_index)]
        sealed = self._blocks.seal(item.encrypted_content, _MAKER) if item.encrypted_content else []
        return sealed if item.type == "reasoning" else []

    def _end(self, event: _Event) -> list[Piece]:
        self._over = True
        response = event.response or _Response()
        if event.type == "response.completed":
            reason: Reason = "tools" if self._calls else "complete"
        elif event.type == "response.incomplete":
            told = (response.incomplete_details or _Incomplete()).reason or ""
            reason = _INCOMPLETE.get(told, "length")
        else:
            error = response.error or event.error or _Error(event.code, event.message)
            message = error.message or "The provider sent an error."
            return [Failed(error.type or "api_error", message, error.code or "")]
        return [*self._blocks.close_all(), Ended(reason, _usage(response.usage))]


def _place(event: _Event) -> Hashable:
    """Of a text. The kind belongs to it: a reasoning has parts of its summary and of its content under the same numbers."""
    kind = event.type.rpartition(".")[0]
    return event.output_index, kind, event.content_index, event.summary_index


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    into = usage.input_tokens_details or _InputDetails()
    out = usage.output_tokens_details or _OutputDetails()
    return Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cached=into.cached_tokens or 0,
        cache_write=into.cache_write_tokens or 0,
        reasoning=out.reasoning_tokens or 0,
    )
