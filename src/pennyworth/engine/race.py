"""Several calls for one reply: the first that has something to give is the one, the others are called off at once."""

from __future__ import annotations

from typing import Protocol


class Racer(Protocol):
    def call_off(self) -> None:
        """Somebody else was faster: books what it has cost so far and stops."""


class Race:
    """``winner`` is set once, when a reply begins; nothing of any other reaches the caller."""

    def __init__(self) -> None:
        self.winner: Racer | None = None
        self._entered: list[Racer] = []

    @property
    def size(self) -> int:
        return len(self._entered)

    def enter(self, racer: Racer) -> None:
        self._entered.append(racer)

    def claim(self, racer: Racer) -> bool:
        """Whether this one gives the reply."""
        if self.winner is None:
            self.winner = racer
            for other in self._entered:
                if other is not racer:
                    other.call_off()
        return self.winner is racer
