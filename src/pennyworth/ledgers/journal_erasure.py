"""Forgetting somebody in the files of a journal: lines that are in the ledger already, emptied where they stand.

A line is overwritten in its place, filled up with spaces, which JSON does not mind: workers go on appending behind it, and
offsets stay true. Only what has been folded is touched, for nobody reads it again; so fold first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from pennyworth.decide import forget
from pennyworth.errors import StoreError
from pennyworth.ledgers.lines import DamagedLineError, Record, from_line, to_line
from pennyworth.ledgers.segment_book import Progress
from pennyworth.ledgers.segments import DAMAGED_SUFFIX, segments_in
from pennyworth.whom import Whom

_PIECE = 2**21


class Folded(Protocol):
    """How far a segment is in the ledger: the part of a ``SegmentBook`` that is asked here."""

    def progress(self, segment: str) -> Progress: ...


class _Line(NamedTuple):
    """A line. Without a record it is one that nobody can read: whose it is cannot be known."""

    start: int
    text: bytes
    record: Record | None


class JournalErased:
    """A ``Forgets`` over a journal folder. Segments that were kept for their damaged lines are gone through whole."""

    place = "journal"

    def __init__(self, folder: Path, folded: Folded) -> None:
        self._folder = folder
        self._folded = folded

    def count(self, whom: Whom) -> int:
        with self._errors():
            return sum(1 for path, end in self._files() for _ in _theirs(path, end, whom))

    def forget(self, whom: Whom) -> int:
        with self._errors():
            return sum(_empty(path, list(_theirs(path, end, whom)), whom) for path, end in self._files())

    def _files(self) -> Iterator[tuple[Path, int | None]]:
        """Files and up to where they may be gone through; ``None``: to their end."""
        for segment in segments_in(self._folder):
            yield self._folder / segment.name, self._folded.progress(segment.name).offset
        for path in sorted(self._folder.glob(f"*{DAMAGED_SUFFIX}")):
            yield path, None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"journal folder {self._folder}: {error}") from error


def _theirs(path: Path, end: int | None, whom: Whom) -> Iterator[_Line]:
    """An intent does not say whose it is, but its scope may: that of one whose receipt is theirs is theirs, too."""
    ids = {line.record.id for line in _read(path, end) if line.record is not None and whom.made(line.record)}
    for line in _read(path, end):
        record = line.record
        if record is None or whom.made(record) or (record.id in ids and forget.emptied(record, whom) != record):
            yield line


def _read(path: Path, end: int | None) -> Iterator[_Line]:
    for start, text in _lines(path, end):
        if not text.strip():
            continue
        try:
            yield _Line(start, text, from_line(text))
        except DamagedLineError:
            yield _Line(start, text, None)


def _lines(path: Path, end: int | None) -> Iterator[tuple[int, bytes]]:
    """Every line and where it begins; a last one that has no line break yet, too, where it may be gone through."""
    start, rest = 0, b""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return  # folded to its end and removed since it was listed
    with file:
        while piece := file.read(_PIECE if end is None else min(_PIECE, end - file.tell())):
            *whole, rest = (rest + piece).split(b"\n")
            for text in whole:
                yield start, text
                start += len(text) + 1
    yield start, rest


def _empty(path: Path, lines: list[_Line], whom: Whom) -> int:
    if not lines:
        return 0
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for line in lines:
            os.pwrite(fd, _instead(line, whom), line.start)
        os.fsync(fd)
    finally:
        os.close(fd)
    return len(lines)


def _instead(line: _Line, whom: Whom) -> bytes:
    """As long as the line. One that this release would write longer than it stood there says nothing any more."""
    text = to_line(forget.emptied(line.record, whom)) if line.record is not None else b""
    return (text if len(text) <= len(line.text) else b"").ljust(len(line.text))
