"""The blocks a reader has open: which is which, and in what order they close."""

from __future__ import annotations

from collections.abc import Hashable

from pennyworth.wire.streams.pieces import Closed, Kind, Opened, Piece, Said, Signed


class Blocks:
    """Numbers blocks as they open. A reader knows each by whatever its dialect tells them apart by (``place``)."""

    __slots__ = ("_next", "_open")

    def __init__(self) -> None:
        self._next = 0
        self._open: dict[Hashable, int] = {}

    def number(self, place: Hashable) -> int | None:
        """Of the open block at that place."""
        return self._open.get(place)

    def open(self, place: Hashable, kind: Kind, id: str = "", name: str = "") -> list[Piece]:
        """A block that is still open at that place is closed first."""
        before = self.close(place)
        self._open[place] = self._next
        self._next += 1
        return [*before, Opened(self._open[place], kind, id, name)]

    def say(self, place: Hashable, text: str) -> list[Piece]:
        number = self._open.get(place)
        return [] if number is None or not text else [Said(number, text)]

    def sign(self, place: Hashable, signature: str, maker: str) -> list[Piece]:
        number = self._open.get(place)
        return [] if number is None or not signature else [Signed(number, signature, maker)]

    def seal(self, sealed: str, maker: str) -> list[Piece]:
        """A block of what cannot be read, all at once."""
        return [*self.open("sealed", "sealed"), *self.sign("sealed", sealed, maker), *self.close("sealed")]

    def close(self, place: Hashable) -> list[Piece]:
        number = self._open.pop(place, None)
        return [] if number is None else [Closed(number)]

    def close_all(self) -> list[Piece]:
        return [piece for place in list(self._open) for piece in self.close(place)]
