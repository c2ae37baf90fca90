"""Events of OpenAI's Responses API as pieces (platform.openai.com, "Streaming events").

Each part of an output item has its place: texts of a message, and of a reasoning's summary or content. What hosted tools
did has no words elsewhere.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from pennyworth.wire.responses.body import FILTERED, LENGTH, read_event
from pennyworth.wire.responses.usage import read_usage
from pennyworth.wire.streams.blocks import Blocks
from pennyworth.wire.streams.events import data_of, decoded, made_at
from pennyworth.wire.streams.failures import failed, says_error, unheard_of, unreadable
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
_ENDS = ("response.completed", "response.incomplete")
_FAILS = ("response.failed", "response.cancelled", "error")


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    created_at: Any = 0
    error: Any = None
    incomplete_details: _Incomplete | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
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
    error: Any = None


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
        if not data or data.startswith(b"[DONE]"):
            return []
        found = decoded(_EVENT, data)
        if says_error(event) or (found is not None and _has_error(found)):
            return self._fail(failed(data))
        if found is None or (found.type in _ENDS and not _is_sound(data)):
            return self._fail(unreadable())
        return self._begin(found.response) + self._take(found)

    def finish(self) -> list[Piece]:
        """Without ``response.completed`` the reply broke off."""
        return []

    def _begin(self, response: _Response | None) -> list[Piece]:
        if self._began or response is None:
            return []
        self._began = True
        return [Began(response.id, response.model, made_at(response.created_at))]

    def _take(self, event: _Event) -> list[Piece]:
        kind = _DELTAS.get(event.type)
        if kind is not None:
            return self._speak(event, kind, _text(event.delta))
        match event.type:
            case "response.function_call_arguments.delta":
                return self._argue(event, _text(event.delta))
            case "response.output_item.added":
                return self._add(event, event.item) if event.item else []
            case "response.output_item.done":
                return self._done(event, event.item) if event.item else []
            case "response.completed" | "response.incomplete":
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
        return pieces + self._argue(event, _text(item.arguments))

    def _done(self, event: _Event, item: _Item) -> list[Piece]:
        if item.type == "function_call":
            said = [] if event.output_index in self._said else self._argue(event, _text(item.arguments))
            return [*said, *self._blocks.close(event.output_index)]
        sealed = self._blocks.seal(item.encrypted_content, _MAKER) if item.encrypted_content else []
        return sealed if item.type == "reasoning" else []

    def _end(self, event: _Event) -> list[Piece]:
        self._over = True
        response = event.response or _Response()
        if event.type == "response.completed":
            return self._whole_reply("tools" if self._calls else "complete", response)
        told = (response.incomplete_details or _Incomplete()).reason or ""
        if told not in FILTERED and told not in LENGTH:
            return [unheard_of(told)]
        return self._whole_reply("filtered" if told in FILTERED else "length", response)

    def _whole_reply(self, reason: Reason, response: _Response) -> list[Piece]:
        return [*self._blocks.close_all(), Ended(reason, read_usage(bytes(response.usage)))]

    def _fail(self, why: Failed) -> list[Piece]:
        self._over = True
        return [why]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _has_error(event: _Event) -> bool:
    response = event.response
    return event.error is not None or event.type in _FAILS or (response is not None and response.error is not None)


def _is_sound(data: bytes) -> bool:
    """The last event is read as its recorder reads it: one that is no end there must not be one here."""
    try:
        read_event(data)
    except (ValueError, RecursionError):
        return False
    return True


def _place(event: _Event) -> Hashable:
    """Of a text. The kind belongs to it: a reasoning has parts of its summary and of its content under the same numbers."""
    kind = event.type.rpartition(".")[0]
    return event.output_index, kind, event.content_index, event.summary_index
