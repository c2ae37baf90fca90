"""Which entry goes first when memory is full: S3-FIFO (Yang et al., SOSP 2023), three queues and no clock.

Most questions come once. New keys therefore wait in a short queue and are evicted from it unless they are asked
again; those that are move to the main queue, where each use buys one more round. A key that comes back soon after
its eviction goes straight to the main queue. A look-up only counts, it moves nothing, so it is cheap and needs no
lock beside the interpreter's own. Measured against the alternatives in ``docs/decisions/0003-eviction.md``.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_SMALL = 0.1
"""Share of the entries that the queue for newcomers may hold before it is evicted from first (the paper's figure)."""

_MOST_USES = 3
"""Uses beyond these earn no further round (two bits in the paper)."""


class _Entry(Generic[K, V]):
    __slots__ = ("gone", "key", "uses", "value")

    def __init__(self, key: K, value: V) -> None:
        self.key = key
        self.value = value
        self.uses = 0
        self.gone = False


class S3Fifo(Generic[K, V]):
    """A mapping that knows what to evict. It has no limit of its own: its owner calls ``evict`` while it is too full."""

    def __init__(self) -> None:
        self._entries: dict[K, _Entry[K, V]] = {}
        self._small: deque[_Entry[K, V]] = deque()
        self._main: deque[_Entry[K, V]] = deque()
        self._ghosts: dict[K, None] = {}
        self._ghost_order: deque[K] = deque()
        self._gone = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, counted as a use; ``None`` when it is not there."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.uses < _MOST_USES:
            entry.uses += 1
        return entry.value

    def peek(self, key: K) -> V | None:
        """The value, not counted as a use."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def keys(self) -> list[K]:
        return list(self._entries)

    def put(self, key: K, value: V) -> V | None:
        """Adds or replaces; returns the value replaced. Replacing counts as a use: somebody asked again."""
        entry = self._entries.get(key)
        if entry is not None:
            old, entry.value = entry.value, value
            entry.uses = min(entry.uses + 1, _MOST_USES)
            return old
        entry = self._entries[key] = _Entry(key, value)
        if key in self._ghosts:
            del self._ghosts[key]
            self._main.append(entry)
        else:
            self._small.append(entry)
        return None

    def evict(self) -> V:
        """Removes and returns the least worth keeping. ``IndexError`` when there is nothing left."""
        while True:
            from_small = bool(self._small) and (not self._main or len(self._small) > _SMALL * len(self._entries))
            entry = self._small.popleft() if from_small else self._main.popleft()
            if entry.gone:
                self._gone -= 1
                continue
            if not entry.uses:
                del self._entries[entry.key]
                if from_small:
                    self._remember(entry.key)
                return entry.value
            entry.uses = 0 if from_small else entry.uses - 1
            self._main.append(entry)

    def remove(self, key: K) -> None:
        """Removes a key that is there. Its place in the queue is cleared later, once such places outnumber the rest."""
        self._entries.pop(key).gone = True
        self._gone += 1
        if self._gone > len(self._entries):
            self._small = deque(entry for entry in self._small if not entry.gone)
            self._main = deque(entry for entry in self._main if not entry.gone)
            self._gone = 0

    def _remember(self, key: K) -> None:
        """Keeps as many evicted keys in mind as there are entries. A key met again leaves a hole in the order."""
        self._ghosts[key] = None
        self._ghost_order.append(key)
        while len(self._ghost_order) > len(self._entries):
            self._ghosts.pop(self._ghost_order.popleft(), None)
