"""The file that is read: looked over once, then read line by line, in order or by number. It is never held in memory.

What is known of it is eight bytes a line, and one digest by which a file that was changed meanwhile is noticed.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from pennyworth.batch.digests import Digests
from pennyworth.batch.errors import BatchError
from pennyworth.batch.lines import Line, LineReader, Problem

_MOST_BYTES = 64 * 2**20
"""Of one line."""

_MARK = b"\xef\xbb\xbf"
"""Of byte order, with which other systems begin a text."""


class Source:
    """A batch file. ``digest``: of all of it. Lines without anything on them do not count. Raises ``BatchError``."""

    def __init__(self, path: Path) -> None:
        self._reader = LineReader()
        try:
            self._file = path.open("rb")
            self._places, self.digest = _survey(self._file)
        except OSError as error:
            fix = 'Name a file of lines such as {"custom_id": …, "url": "/v1/chat/completions", "body": {…}}.'
            raise BatchError(f"{str(path)!r} cannot be read: {error.strerror}.", fix) from error

    def __len__(self) -> int:
        return len(self._places)

    def entries(self) -> Iterator[Line | Problem]:
        """In the order of the file; the second line of a name is a problem."""
        names = Digests()
        for number in range(len(self)):
            entry = self.entry(number)
            if entry.custom_id is not None and not names.add(entry.custom_id.encode("utf-8", "surrogatepass")):
                message = f"custom_id {entry.custom_id[:80]!r} stands on an earlier line already: that one is answered."
                entry = Problem(number, entry.custom_id, "duplicate_custom_id", message)
            yield entry

    def entry(self, number: int) -> Line | Problem:
        """One line by its number."""
        self._file.seek(self._places[number])
        text = self._file.readline(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            return Problem(number, None, "line_too_long", f"The line is longer than {_MOST_BYTES} bytes.")
        return self._reader.read(number, text)

    def close(self) -> None:
        self._file.close()


def _survey(file: Iterator[bytes]) -> tuple[array[int], str]:
    places, at, digest = array("q"), 0, hashlib.sha256()
    for text in file:
        digest.update(text)
        mark = len(_MARK) if not at and text.startswith(_MARK) else 0
        if text[mark:].strip():
            places.append(at + mark)
        at += len(text)
    return places, digest.hexdigest()
