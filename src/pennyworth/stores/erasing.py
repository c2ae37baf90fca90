"""Forgetting somebody in a cache file, beside the workers that use it: rows overwritten, the log emptied, the salt shredded.

What a damaged file holds cannot be proven not to be theirs, so files that were set aside go altogether.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pennyworth.errors import StoreError
from pennyworth.stores.cover import Marks
from pennyworth.stores.opening import beside, roll_back
from pennyworth.stores.removal import CANDIDATE, SOURCE, Candidate, Removal
from pennyworth.stores.salts import shred
from pennyworth.stores.schema import SCHEMA, WHOSE, all_of, load_totals
from pennyworth.whom import Whom

_WAIT_S = 5.0
_SLICE = 1_000


class AnswersErased:
    """A ``Forgets`` over the answers in a file."""

    place = "answers"

    def __init__(self, path: Path, marks: Marks) -> None:
        self._path = path
        self._marks = marks

    def count(self, whom: Whom) -> int:
        with beside(self._path, SCHEMA, _WAIT_S) as db:
            return 0 if db is None else int(db.execute(*_theirs(whom, self._marks, "count(*)")).fetchone()[0])

    def forget(self, whom: Whom) -> int:
        with beside(self._path, SCHEMA, _WAIT_S) as db:
            if db is None:
                return 0
            gone = 0
            while removed := self._slice(db, whom):
                gone += removed
            if whom.by == "scope":
                self._shred(db, whom)
            empty_log(db, self._path)
            return gone

    def _slice(self, db: sqlite3.Connection, whom: Whom) -> int:
        sql, values = _theirs(whom, self._marks, f"json_array({CANDIDATE})")
        with _transaction(db):
            totals = load_totals(db)
            removal = Removal(totals)
            gather = f"SELECT json_group_array(json(found)) FROM ({sql} LIMIT ?)"  # noqa: S608 our own names
            for one in map(Candidate._make, all_of(db, gather, (*values, _SLICE))):
                removal.add(one)
            removal.execute(db)
            totals.save(db)
            return len(removal)

    def _shred(self, db: sqlite3.Connection, whom: Whom) -> None:
        """Unless something was asked for in the scope since: it needs the salt."""
        mark = self._marks("scope", whom.value)
        with _transaction(db):
            if not db.execute("SELECT EXISTS (SELECT 1 FROM keys WHERE scope = ?)", (mark,)).fetchone()[0]:
                shred(db, mark)


class SetAside:
    """A ``Forgets`` over the damaged files that were set aside: of whom they tell cannot be known, so each tells of all."""

    place = "damaged files"

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, whom: Whom) -> int:
        return len(self._found())

    def forget(self, whom: Whom) -> int:
        found = self._found()
        try:
            for path in found:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}") from error
        return len(found)

    def _found(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.corrupt-*"))


def empty_log(db: sqlite3.Connection, path: Path) -> None:
    """The log holds pages as they were before: it is written back and cut to nothing."""
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise StoreError(f"{path.name}-wal: in use by others for too long to be emptied; forget again")


def _theirs(whom: Whom, marks: Marks, what: str) -> tuple[str, tuple[object, ...]]:
    """Their keys, covered or not. The name of the column is ours."""
    sql = f"SELECT {what} AS found FROM {SOURCE} WHERE k.asked_epoch < ? AND k.{WHOSE[whom.by]} IN (?, ?)"  # noqa: S608
    return sql, (whom.epoch, whom.value, marks(whom.by, whom.value))


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        roll_back(db)
