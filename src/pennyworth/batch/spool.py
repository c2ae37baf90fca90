"""What has been answered so far: a file beside the output, appended to as answers come, each with the line it is for.

One write(2) a record: what has been appended survives ``kill -9``, and a last line that was torn by it is cut off when
the file is opened again. The output is made of it in the order of the input, whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from pennyworth.batch.answers import Answer, Trouble
from pennyworth.batch.errors import BatchError

Kind = Literal["answer", "again", "lane", "direct"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a line. The last one counts.

    ``answer``: it is answered. ``again``: it is to be asked anew, as round ``round``. ``lane``: it is in that batch of
    the provider's. ``direct``: it is being asked directly, and that may have been paid for whatever comes of it.
    """

    line: int
    kind: Kind = "answer"
    round: int = 0
    lane: int = 0
    trouble: Trouble = ""
    served: str = ""
    spent: int = 0
    saved: int = 0
    out: msgspec.Raw = msgspec.Raw(b"null")


class Tally(msgspec.Struct, kw_only=True):
    """What the answers come to. ``troubles``: lines by trouble, answered ones under "". ``served``: by where replies came
    from. ``spent``, ``saved``: picodollars."""

    troubles: dict[str, int] = {}
    served: dict[str, int] = {}
    spent: int = 0
    saved: int = 0

    @property
    def answered(self) -> int:
        return sum(self.troubles.values())

    def count(self, record: Record) -> None:
        self.troubles[record.trouble] = self.troubles.get(record.trouble, 0) + 1
        if record.served:
            self.served[record.served] = self.served.get(record.served, 0) + 1
        self.spent += record.spent
        self.saved += record.saved

    def take_back(self, trouble: str) -> None:
        """A line is to be asked again. What its first answer cost stays spent."""
        self.troubles[trouble] -= 1


_NOTHING, _AGAIN, _LANE, _DIRECT = 0, 1, 2, 3
_ANSWERED: tuple[Trouble, ...] = ("", "line", "failed", "unknown")
_FIRST = 4


class Spool:
    """The records of a batch of ``lines`` lines, and in memory where each line stands: 16 bytes a line.

    Raises ``BatchError``: it cannot be written, or another process works on it.
    """

    def __init__(self, path: Path, lines: int) -> None:
        self.path = path
        self.tally = Tally()
        self._states = bytearray(lines)
        self._rounds = array("H", bytes(2 * lines))
        self._lanes = array("H", bytes(2 * lines))
        self._places = array("q", bytes(8 * lines))
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BatchError(f"{path} cannot be written: {error.strerror}.", "Name an output that can.") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise BatchError(
                f"{path} is being written by another pennyworth batch.", "Let it end, or stop it."
            ) from None
        if not os.fstat(self._fd).st_nlink:  # it had it until just now, and was the last to need it
            os.close(self._fd)
            raise BatchError(f"{path} was just finished by another pennyworth batch.", "Run it again.")
        self._size = self._heal()
        for place, record in self._read():
            self._note(record, place)

    def answered(self, line: int) -> bool:
        return self._states[line] >= _FIRST

    def trouble(self, line: int) -> Trouble:
        """Of an answered line."""
        return _ANSWERED[self._states[line] - _FIRST]

    def round(self, line: int) -> int:
        return self._rounds[line]

    def lane(self, line: int) -> int | None:
        """The batch of the provider's that it is in and has no answer from yet."""
        return self._lanes[line] if self._states[line] == _LANE else None

    def lines_of(self, lane: int) -> Iterator[int]:
        return (line for line, state in enumerate(self._states) if state == _LANE and self._lanes[line] == lane)

    def answer(self, line: int, answer: Answer) -> None:
        record = Record(
            line=line,
            round=self._rounds[line],
            trouble=answer.trouble,
            served=answer.served,
            spent=answer.spent,
            saved=answer.saved,
            out=msgspec.Raw(msgspec.json.encode(answer.out)),
        )
        self._append([record])

    def again(self, lines: Iterator[int] | list[int], *, anew: bool) -> None:
        """They are to be asked; ``anew``: whatever was begun for them is given up, as far as asking once goes."""
        self._append([Record(line=line, kind="again", round=self._rounds[line] + anew) for line in lines])

    def into_lane(self, lines: list[int], lane: int) -> None:
        self._append([Record(line=line, kind="lane", round=self._rounds[line], lane=lane) for line in lines])

    def directly(self, line: int) -> None:
        """It is asked now, and by no batch of a provider's as long as it is in this round."""
        if self._states[line] != _DIRECT:
            self._append([Record(line=line, kind="direct", round=self._rounds[line])])

    def may_wait(self, line: int) -> bool:
        """Nobody has asked it, nor handed it in."""
        return self._states[line] in (_NOTHING, _AGAIN)

    def records(self) -> Iterator[Record]:
        """The answers, in the order of the input."""
        for line, state in enumerate(self._states):
            if state >= _FIRST:
                yield self._at(self._places[line])

    def sync(self) -> None:
        os.fsync(self._fd)

    @property
    def empty(self) -> bool:
        return not self._size

    def close(self) -> None:
        """One without a record is not left behind."""
        if self.empty:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def _append(self, records: list[Record]) -> None:
        for start in range(0, len(records), 4096):
            some = records[start : start + 4096]
            texts = [msgspec.json.encode(record) + b"\n" for record in some]
            self._write(b"".join(texts))
            for record, text in zip(some, texts, strict=True):
                self._note(record, self._size)
                self._size += len(text)

    def _write(self, text: bytes) -> None:
        try:
            written = os.write(self._fd, text)
        except OSError as error:
            written, reason = 0, error.strerror
        else:
            reason = "the disk is full"
        if written != len(text):
            os.ftruncate(self._fd, self._size)
            fix = "Make room and run the same command again: what is answered is not asked again."
            raise BatchError(f"{self.path} cannot be written on: {reason}.", fix)

    def _note(self, record: Record, place: int) -> None:
        line = record.line
        if self.answered(line):
            self.tally.take_back(self.trouble(line))
        self._rounds[line] = record.round
        self._lanes[line] = record.lane
        self._places[line] = place
        match record.kind:
            case "answer":
                self._states[line] = _FIRST + _ANSWERED.index(record.trouble)
                self.tally.count(record)
            case "again":
                self._states[line] = _AGAIN
            case "lane":
                self._states[line] = _LANE
            case "direct":
                self._states[line] = _DIRECT

    def _heal(self) -> int:
        """Cuts off what a killed process left of a record: it was never acted upon."""
        size = end = os.fstat(self._fd).st_size
        while end:
            start = max(0, end - 65536)
            found = os.pread(self._fd, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._fd, end)
        return end

    def _read(self) -> Iterator[tuple[int, Record]]:
        decode, place = msgspec.json.Decoder(Record).decode, 0
        with open(self.path, "rb") as file:
            for text in file:
                try:
                    record = decode(text)
                    known = record.line < len(self._states)
                except msgspec.DecodeError:
                    known = False
                if not known:
                    fix = f"Remove {self.path} to begin anew: answers that may be kept are found in the cache."
                    raise BatchError(f"{self.path} is damaged at byte {place}.", fix)
                yield place, record
                place += len(text)

    def _at(self, place: int) -> Record:
        text = os.pread(self._fd, 65536, place)
        while b"\n" not in text:
            more = os.pread(self._fd, 4 * 2**20, place + len(text))
            if not more:
                break
            text += more
        return msgspec.json.decode(text[: text.index(b"\n")], type=Record)
