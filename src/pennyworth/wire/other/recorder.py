"""Counts a reply that is passed through, and reads the usage of the one such call whose tokens have a price of their own:
legacy completions, which say them as chat completions do. Other calls charge by other rules, and a count that looks alike
(seconds of sound, pages, images) must not be priced as text.
"""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage
from pennyworth.wire.chat.usage import read_usage
from pennyworth.wire.sse import EventSplitter, data_of

COMPLETIONS = "/completions"

_LONGEST = 1 << 20


class _Said(msgspec.Struct, gc=False):
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw()


_READ = msgspec.json.Decoder(_Said).decode


class Tally:
    """``feed`` the body in any cut. It raises nothing, and holds no more than one event, or a short JSON body.

    Attributes:
        size: bytes so far. ``usage``, ``model``: as the reply says, where that is looked for.
    """

    __slots__ = ("_json", "_reads", "_splitter", "model", "size", "usage")

    def __init__(self, path: str = "", kind: str = "") -> None:
        self.size = 0
        self.usage: Usage | None = None
        self.model = ""
        events = kind.startswith("text/event-stream")
        self._reads = path.partition("?")[0] == COMPLETIONS
        self._splitter = EventSplitter() if events else None
        self._json: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        if not self._reads:
            return
        if self._splitter is None:
            self._json.append(data)
        else:
            for event in self._splitter.feed(data):
                if b'"usage"' in event:
                    self._see(data_of(event))
        waiting = self._splitter.waiting if self._splitter else self.size
        self._reads = waiting <= _LONGEST

    def end(self) -> None:
        if self._reads and self._splitter is None:
            self._see(b"".join(self._json))
        self._json = []

    def _see(self, text: bytes) -> None:
        try:
            said = _READ(text)
        except (ValueError, RecursionError):
            return
        self.model = said.model or self.model
        self.usage = read_usage(bytes(said.usage)) or self.usage
