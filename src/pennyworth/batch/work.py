"""One batch, from its input to its output: what is answered, what is asked now, and how the output is made of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from pennyworth.batch.answers import Answer
from pennyworth.batch.card import Card, Keep, new_card, read_card, sync_folder
from pennyworth.batch.errors import BatchError
from pennyworth.batch.source import Source
from pennyworth.batch.spool import Spool, Tally

Tell = Callable[[], None]


class Again(msgspec.Struct, frozen=True):
    """Which lines that have their answer are asked once more: those that ``failed``, those that are ``unknown``."""

    failed: bool = False
    unknown: bool = False


class Work:
    """The files of a batch. ``open_work`` opens them, which begins it or goes on with it."""

    def __init__(self, source: Source, spool: Spool, keep: Keep, out: Path, errors: Path | None) -> None:
        self.source = source
        self.spool = spool
        self.keep = keep
        self._out = out
        self._errors = errors

    @property
    def card(self) -> Card:
        return self.keep.card

    @property
    def over(self) -> bool:
        """Every line had its answer in an earlier run, and the output is there."""
        return self.card.finished and self.spool.empty

    @property
    def tally(self) -> Tally:
        if not self.over:
            return self.spool.tally
        return self.card.tally or Tally(troubles={"": len(self.source)})

    @property
    def left(self) -> int:
        return len(self.source) - self.tally.answered

    def answer(self, line: int, answer: Answer) -> None:
        self.spool.answer(line, answer)

    def ask_again(self, again: Again) -> int:
        """How many lines lose their answer, to be asked anew."""
        wanted = {trouble for trouble, yes in (("failed", again.failed), ("unknown", again.unknown)) if yes}
        lines = [
            line for line in range(len(self.source)) if self.spool.answered(line) and self.spool.trouble(line) in wanted
        ]
        if lines:
            self.keep.write(finished=False)
            self.spool.again(lines, anew=True)
        return len(lines)

    def finish(self) -> None:
        """The output and the file of errors, in the order of the input, each whole or not at all. Once is enough."""
        if self.over or (self.card.finished and self._out.exists()):
            return
        try:
            self._put_out()
        except OSError as error:
            problem = f"{self._out} cannot be written: {error.strerror}."
            raise BatchError(problem, "Make room and run the same command again: nothing is asked again.") from error
        self.keep.write(finished=True, tally=self.spool.tally)
        if self.spool.tally.answered == self.spool.tally.troubles.get("", 0):
            self.spool.path.unlink()  # nothing is left to be asked again

    def _put_out(self) -> None:
        self.spool.sync()
        with _Whole(self._out) as out:
            if self._errors is None:
                _write(self._all(), out, out)
            else:
                with _Whole(self._errors) as errors:
                    _write(self._all(), out, errors)

    def close(self) -> None:
        self.spool.close()
        self.source.close()

    def _all(self) -> Iterator[tuple[bool, bytes]]:
        return ((not record.trouble, bytes(record.out)) for record in self.spool.records())


def _write(records: Iterator[tuple[bool, bytes]], good: IO[bytes], bad: IO[bytes]) -> None:
    for fine, text in records:
        (good if fine else bad).write(text + b"\n")


class _Whole:
    """A file that appears when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f"{path.name}.new")

    def __enter__(self) -> IO[bytes]:
        try:
            self._file = self._new.open("wb")
        except OSError as error:
            raise BatchError(f"{self._new} cannot be written: {error.strerror}.", "Name an output that can.") from error
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        if kind is None:
            os.replace(self._new, self._path)
            sync_folder(self._path)
        else:
            self._new.unlink(missing_ok=True)


def open_work(source_path: Path, out: Path, errors: Path | None) -> Work:
    """Begins a batch, or goes on with the one whose output this is. Raises ``BatchError``."""
    beside = out.with_name(f"{out.name}.batch")
    with contextlib.ExitStack() as opened:
        source = Source(source_path)
        opened.callback(source.close)
        spool = Spool(
            out.with_name(f"{out.name}.part"), len(source)
        )  # first of all: whoever has it is alone with the rest
        opened.callback(spool.close)
        card = read_card(beside) or _begun(source_path, source, out, beside)
        _check_same(card, source_path, source, out)
        work = Work(source, spool, Keep(beside, card), out, errors)
        if work.over and not out.exists():
            raise BatchError(f"{out} was finished, and is there no more.", f"Remove {beside} to ask everything anew.")
        opened.pop_all()
        return work


def is_finished(out: Path) -> bool:
    """Whether the output is there and nothing is left to be asked again."""
    card = read_card(out.with_name(f"{out.name}.batch"))
    return card is not None and card.finished and out.exists() and not out.with_name(f"{out.name}.part").exists()


def _begun(source_path: Path, source: Source, out: Path, beside: Path) -> Card:
    if out.exists():
        raise BatchError(f"{out} is there already, and is no batch's.", "Name another output, or move it away.")
    if not len(source):
        raise BatchError(f"{source_path} has no lines.", "Each line is a request, as in docs/batch.md.")
    keep = Keep(beside, new_card(source_path, source.digest, len(source)))
    keep.write()
    return keep.card


def _check_same(card: Card, source_path: Path, source: Source, out: Path) -> None:
    """Answers go to lines by their number: with another file they would go to other questions."""
    if card.digest != source.digest:
        problem = f"{out} is of {card.source}, as it was: {source_path} is another file, or has been changed since."
        raise BatchError(problem, "Name another output for it; answers that may be kept are found in the cache.")
