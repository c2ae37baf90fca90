"""Where a worker acknowledges: append-only files of one JSON record a line, one write(2) each, and how they are read back.

What has been appended survives the death of the process, because the kernel has it. It does not survive a power cut
before the kernel has written it out; nothing here calls fsync.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from pennyworth.errors import StoreError
from pennyworth.ledgers.lines import Booked, Record, from_line, from_lines, to_line
from pennyworth.ledgers.segments import Segment, create_locked

ROTATE_BYTES = 16 * 2**20
READ_BYTES = 2**21
_LOOK_S = 0.2
"""How often at most a worker looks whether the file it writes is still in its folder (1 µs)."""


class FileJournal:
    """A journal in ``folder``; create it after a worker has forked, and one per worker.

    ``append`` may be called from several threads. A record that the disk took only in part is a damaged line: it is
    reported here by ``StoreError``, skipped by readers, and does not touch the record after it.
    """

    def __init__(self, folder: str | Path, worker: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        if not worker or "/" in worker or "\0" in worker:
            raise ValueError(f"worker name {worker!r} cannot be part of a file name")
        self._folder = Path(folder)
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()
        self._size = 0
        self._torn = False
        self._looked_s = 0.0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd, self._segment = create_locked(self._folder, Segment(f"{worker}-{time.time_ns()}", 0))
        except OSError as error:
            raise StoreError(f"journal folder {folder} cannot be written: {error}") from error

    @property
    def owner(self) -> str:
        """This life of this worker, as it stands in the names of its segments."""
        return self._segment.owner

    def append(self, record: Record) -> None:
        line = to_line(record) + b"\n"
        with self._lock:
            if self._size >= self._rotate_bytes:
                self._rotate()
            self._write(b"\n" + line if self._torn else line)
            if time.monotonic() - self._looked_s > _LOOK_S:
                self._look_for_segment(line)

    def close(self) -> None:
        """Gives the segments up to whoever folds them. Later appends raise ``StoreError``."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise StoreError(f"journal {self._folder / self._segment.name}: {error.strerror or error}") from error
        self._size += written
        self._torn = line[written - 1 : written] != b"\n" if written else self._torn
        if written != len(line):
            raise StoreError(f"journal {self._folder / self._segment.name}: only {written} of {len(line)} bytes fit")

    def _look_for_segment(self, line: bytes) -> None:
        """A file that somebody has deleted takes every write, and nobody will ever read it: go on in another."""
        self._looked_s = time.monotonic()
        if os.fstat(self._fd).st_nlink:
            return
        lost = self._folder / self._segment.name
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._rotate()
        self._write(line)
        raise StoreError(f"journal {lost}: it was deleted while in use; what it held and nobody had booked is lost")

    def _rotate(self) -> None:
        if self._fd < 0:
            return
        try:
            fd, segment = create_locked(self._folder, Segment(self._segment.owner, self._segment.seq + 1))
        except OSError:
            return  # a segment that grows too long is better than a record that is lost
        os.close(self._fd)
        self._fd, self._segment, self._size, self._torn = fd, segment, 0, False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Records read, where to go on reading, and how many damaged lines were passed over."""

    booked: list[Booked]
    next_offset: int
    damaged: int = 0

    @property
    def records(self) -> list[Record]:
        """Each in full, read from its line again."""
        return [from_line(line) for _, line in self.booked]


def read_records(path: str | Path, offset: int, *, ended: bool = False, limit: int = READ_BYTES) -> Reading:
    """Reads on from ``offset``, about ``limit`` bytes at a time; at the end there are no records and the offset stays.

    A last line without its line break is left for the next reading: it may still be being written. When the segment
    has ``ended`` it counts if it is a whole record; if not, it was cut off before anybody called it acknowledged, and is
    no damage. (Linux cuts even a small write short at a page boundary when the process is killed in it.) Raises ``OSError``.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.pread(fd, limit, offset)
        while len(text) >= limit and b"\n" not in text:  # a line longer than the limit
            limit *= 2
            text = os.pread(fd, limit, offset)
        at_the_end = ended and not os.pread(fd, 1, offset + len(text))
    finally:
        os.close(fd)
    whole = text.rfind(b"\n") + 1
    booked, damaged = from_lines(text[:whole])
    if at_the_end:
        booked += from_lines(text[whole:])[0]
        whole = len(text)
    return Reading(booked=booked, next_offset=offset + whole, damaged=damaged)
