"""Records one embeddings reply: is there one vector, and no empty one, for every item that was asked for?

What is recorded as complete can be taken apart by ``reply.parts``. Anything else is given to who asked for it as it came,
and never kept.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.money import Usage
from pennyworth.outcome import Ending, Outcome
from pennyworth.wire.chat.usage import read_usage

_SPACES = b" \t\r\n"
_OPENS = (b"[", b'"')
"""Numbers, or base64 of them."""
_SHORTEST, _ENOUGH = 3, 16
"""Bytes of a vector that holds something, and of its beginning where that shows."""


class _Item(msgspec.Struct, gc=False):
    index: int
    embedding: msgspec.Raw


class _Reply(msgspec.Struct, gc=False):
    data: list[_Item] | None = None
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


class _Total(msgspec.Struct, gc=False):
    total_tokens: int


_READ = msgspec.json.Decoder(_Reply).decode
_TOTAL = msgspec.json.Decoder(_Total).decode


class EmbeddingsRecorder:
    """A ``Recorder``. There are no streams in this dialect: events are no embeddings."""

    __slots__ = ("_error", "_fault", "_model", "_places", "_usage", "_vectors", "committed", "done", "fingerprint")

    def __init__(self) -> None:
        self.committed = False
        self.done = False
        self.fingerprint = ""
        self._model = ""
        self._usage: Usage | None = None
        self._places: set[int] = set()
        self._vectors = 0
        self._error = False
        self._fault = ""

    def feed_all(self, events: list[bytes]) -> None:
        if events:
            self._fault = "events came, where one JSON body is expected"

    def feed_rest(self, rest: bytes) -> None:
        self.feed_all([rest])

    def feed_json(self, body: bytes) -> None:
        try:
            reply = _READ(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._fault = f"malformed reply: {error}"
            return
        self._model = reply.model or ""
        self._usage = _usage(bytes(reply.usage)) if reply.usage else None
        if reply.error is not None:
            self._error, self._fault = True, "the provider sent an error"
        for item in reply.data or ():
            self._take(item)

    def outcome(
        self,
        *,
        status: int,
        raw: bytes,
        streamed: bool,
        ended: bool,
        expected: int,
        fault: str = "",
        request_id: str = "",
    ) -> Outcome:
        """The record. ``expected``: how many vectors were asked for."""
        fault = fault or self._fault
        if not fault and status < 300:
            fault = self._doubt(expected, raw)
        return Outcome(
            ending=self._ending(status, fault),
            status=status,
            dialect="embeddings",
            raw=raw,
            streamed=streamed,
            whole=ended,
            usage=self._usage,
            finishes=("complete",) * self._vectors,
            served_by=self._model,
            fault=fault,
            provider_request_id=request_id,
        )

    def _take(self, item: _Item) -> None:
        self.committed = True
        self._vectors += 1
        self._places.add(item.index)
        opening = bytes(memoryview(item.embedding)[:_ENOUGH]).translate(None, _SPACES)
        if opening[:1] not in _OPENS or len(opening) < _SHORTEST:
            self._look_closely(bytes(item.embedding).translate(None, _SPACES))

    def _look_closely(self, vector: bytes) -> None:
        if vector[:1] not in _OPENS or len(vector) < _SHORTEST:
            self._fault = self._fault or "an item of the reply has no vector"

    def _ending(self, status: int, fault: str) -> Ending:
        if status >= 400 or self._error:
            return "error"
        return "cut" if fault else "complete"

    def _doubt(self, expected: int, raw: bytes) -> str:
        if self._vectors != expected:
            return f"{self._vectors} vectors came, {expected} were asked for"
        if self._places != set(range(expected)):
            return "the vectors of the reply are not numbered from 0, each once"
        try:
            raw.isascii() or raw.decode()
        except UnicodeDecodeError:
            return "the reply is not UTF-8 throughout"
        return ""


def _usage(raw: bytes) -> Usage | None:
    """Voyage gives the total alone, and all of it is input."""
    if (found := read_usage(raw)) is not None:
        return found
    try:
        return read_usage(b'{"prompt_tokens":%d}' % _TOTAL(raw).total_tokens)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
