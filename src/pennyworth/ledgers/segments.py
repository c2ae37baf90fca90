"""Segment files of a journal folder: how they are named, listed, and how one tells whether somebody still writes them.

A segment is being written exactly while its writer holds a lock (flock) on it; the kernel lets go of it when the writer
dies, however it dies. A worker locks its next segment before it lets go of the last, so a living worker always has one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

SUFFIX = ".jsonl"
DAMAGED_SUFFIX = ".damaged"


class Segment(msgspec.Struct, frozen=True, order=True):
    """A segment by its name. ``owner`` is one life of one worker (``worker-start``), ``seq`` counts its segments."""

    owner: str
    seq: int

    @property
    def name(self) -> str:
        return f"{self.owner}-{self.seq:06d}{SUFFIX}"

    @property
    def worker(self) -> str:
        return self.owner.rpartition("-")[0]


def segment_of(name: str) -> Segment | None:
    """The segment a file name stands for, or ``None`` if the file is something else."""
    owner, _, seq = name.removesuffix(SUFFIX).rpartition("-")
    worker, _, start = owner.rpartition("-")
    if not (name.endswith(SUFFIX) and worker and start.isdecimal() and seq.isdecimal()):
        return None
    return Segment(owner, int(seq))


def segments_in(folder: Path) -> list[Segment]:
    """All segments there, each worker's in the order of writing."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(segment for name in names if (segment := segment_of(name)) is not None)


def create_locked(folder: Path, segment: Segment) -> tuple[int, Segment]:
    """Opens this segment, or the next one whose name is free, for appending, and holds its lock."""
    while True:
        try:
            fd = os.open(
                folder / segment.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
        except FileExistsError:
            segment = Segment(segment.owner, segment.seq + 1)
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            linked = os.fstat(fd).st_nlink > 0
        except OSError:
            os.close(fd)
            raise
        if linked:
            return fd, segment
        os.close(fd)  # before it was locked, somebody took it for a dead worker's empty segment and removed it


@contextmanager
def sealed(path: Path) -> Iterator[bool]:
    """Whether nobody writes the segment any more; if so, it is held for the length of the block."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _taken(fd)
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0
