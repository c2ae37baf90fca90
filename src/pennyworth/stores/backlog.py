"""Puts that are accepted but not written yet: visible to this process at once, bounded, the last one per key."""

from __future__ import annotations

import threading
from itertools import islice

from pennyworth.outcome import Kept
from pennyworth.request import Key

_OVERHEAD = 1_500
"""Bytes an entry takes in memory besides its answer's text, roughly."""


class Backlog:
    """Filled by requests, emptied by the writing thread. When it is full it refuses: a lost put costs one call."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: dict[Key, Kept] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def crowded(self) -> bool:
        """A quarter full: time to write, without waiting for more."""
        return 4 * self._bytes > self._max_bytes

    def get(self, key: Key) -> Kept | None:
        return self._waiting.get(key)

    def add(self, kept: Kept) -> bool:
        """Whether there was room."""
        with self._changing:
            before = self._waiting.get(kept.key)
            grown = self._bytes + _size(kept) - (_size(before) if before else 0)
            if grown > self._max_bytes:
                return False
            self._bytes = grown
            self._waiting[kept.key] = kept
            return True

    def batch(self, count: int) -> list[Kept]:
        """The longest waiting, which stay here until they are ``done``."""
        with self._changing:
            return list(islice(self._waiting.values(), count))

    def done(self, batch: list[Kept]) -> None:
        """These are written, or cannot be. One that was put again meanwhile stays."""
        for kept in batch:
            with self._changing:  # for each by itself: whoever puts meanwhile would wait for all of them
                if self._waiting.get(kept.key) is kept:
                    del self._waiting[kept.key]
                    self._bytes -= _size(kept)


def _size(kept: Kept) -> int:
    return _OVERHEAD + len(kept.answer.raw)
