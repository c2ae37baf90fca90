"""What the folder needs of a ledger that folds journal segments: more than readers of the books need to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pennyworth.ledgers.lines import Booked, Record
from pennyworth.outcome import Intent


class Progress(NamedTuple):
    """How far a segment has been folded, and how many damaged lines were passed over on the way."""

    offset: int = 0
    damaged: int = 0


class Stretch(NamedTuple):
    """The records between two offsets of one segment of one worker's life (its ``owner``)."""

    segment: str
    owner: str
    start: int
    end: int
    booked: Sequence[Booked]
    damaged: int


class OpenIntent(NamedTuple):
    """An intent without its receipt, and the life of the worker that wrote it."""

    owner: str
    intent: Intent


class SegmentBook(Protocol):
    """A ledger that also keeps how far it has folded each segment.

    - ``fold_stretch`` books the records and moves the offset in one transaction. It is ``False``, and nothing is
      booked, when the segment's offset is no longer the stretch's start: somebody else folded it meanwhile.
    - ``open_intents`` are those that came by ``fold_stretch`` and whose receipt has not.
    - ``forget`` drops the offset of a segment about to be removed, and returns when all that was folded is on disk.
    """

    def fold(self, records: Sequence[Record]) -> int: ...

    def progress(self, segment: str) -> Progress: ...

    def fold_stretch(self, stretch: Stretch) -> bool: ...

    def open_intents(self) -> Sequence[OpenIntent]: ...

    def forget(self, segment: str) -> None: ...
