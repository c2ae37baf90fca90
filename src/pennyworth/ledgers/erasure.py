"""Forgetting somebody in the SQLite ledger: receipts emptied where they stand, sums carried over, and the record of it.

The books balance before, between and after: a receipt and what it adds to the sums of its facet move together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from pennyworth.decide import forget
from pennyworth.errors import StoreError
from pennyworth.ledgers.lines import DamagedLineError, from_line, to_line
from pennyworth.ledgers.sqlite_schema import connect
from pennyworth.ledgers.sqlite_write import FacetIds, carry_over, facet_id
from pennyworth.ledgers.tally import facet_fields
from pennyworth.outcome import Intent, Receipt
from pennyworth.whom import Erasure, Whom

_BUSY_S = 10.0
_SLICE = 5_000
"""Receipts looked at in a transaction: workers fold between them."""

_LAST = "SELECT coalesce(max(rowid), 0) FROM receipts"
_FOUND = "SELECT rowid, facet, body FROM receipts WHERE rowid > ? AND rowid <= ? AND instr(body, ?)"
_UNUSED = "SELECT id FROM facets WHERE id NOT IN (SELECT facet FROM receipts)"
_DROP = ("DELETE FROM sums WHERE facet = ?", "DELETE FROM saved WHERE facet = ?", "DELETE FROM facets WHERE id = ?")

_encode = msgspec.json.Encoder().encode
_erasure = msgspec.json.Decoder(Erasure).decode


class _Line(NamedTuple):
    """A receipt, and where it lies."""

    row: int
    facet: int
    receipt: Receipt


class ReceiptsErased:
    """A ``Forgets`` over the receipts and open intents of a ledger, and its ``ErasureBook``."""

    place = "receipts"

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, whom: Whom) -> int:
        with self._open() as db:
            found = sum(len(lines) for lines in _slices(db, whom))
            return found + len(_intents(db, whom))

    def forget(self, whom: Whom) -> int:
        facets: FacetIds = {}
        left: set[int] = set()
        with self._open() as db:
            emptied = 0
            for lines in _slices(db, whom):
                with _transaction(db):
                    emptied += _empty(db, lines, whom, facets, left)
            with _transaction(db):
                emptied += _empty_intents(db, whom)
                _drop_unused(db, left)
            _empty_log(db)
            return emptied

    def note(self, erasure: Erasure) -> None:
        with self._open() as db:
            db.execute("INSERT INTO erasures (body) VALUES (?)", (_encode(erasure),))

    def erasures(self, limit: int) -> Sequence[Erasure]:
        """The newest first."""
        with self._open() as db:
            rows = db.execute("SELECT body FROM erasures WHERE body <> '' ORDER BY n DESC LIMIT ?", (limit,)).fetchall()
            return [_erasure(body) for (body,) in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(connect(self._path, busy_s=_BUSY_S)) as db:
                yield db
        except (sqlite3.Error, OSError, DamagedLineError, msgspec.MsgspecError) as error:
            raise StoreError(f"ledger {self._path}: {error}") from error


def _slices(db: sqlite3.Connection, whom: Whom) -> Iterator[list[_Line]]:
    """Their receipts, a slice at a time. Those that are booked meanwhile are not theirs any more."""
    needle = msgspec.json.encode(whom.value)
    last = db.execute(_LAST).fetchone()[0]
    for start in range(0, last, _SLICE):
        rows = db.execute(_FOUND, (start, start + _SLICE, needle)).fetchall()
        lines = [
            _Line(row, facet, record) for row, facet, body in rows if isinstance(record := from_line(body), Receipt)
        ]
        if theirs := [line for line in lines if whom.made(line.receipt)]:
            yield theirs


def _empty(db: sqlite3.Connection, lines: list[_Line], whom: Whom, facets: FacetIds, left: set[int]) -> int:
    """Empties these; ``left`` gathers the facets that lost some."""
    moves = []
    for line in lines:
        emptied = forget.emptied(line.receipt, whom)
        to = line.facet
        if facet_fields(emptied) != facet_fields(line.receipt):
            to = facet_id(db, facet_fields(emptied), facets)
            left.add(line.facet)
            moves.append((emptied, line.facet, to))
        db.execute("UPDATE receipts SET facet = ?, body = ? WHERE rowid = ?", (to, to_line(emptied), line.row))
    carry_over(db, moves)
    return len(lines)


def _intents(db: sqlite3.Connection, whom: Whom) -> list[Intent]:
    found = [from_line(body) for (body,) in db.execute("SELECT body FROM intents")]
    return [intent for intent in found if isinstance(intent, Intent) and whom.made(intent)]


def _empty_intents(db: sqlite3.Connection, whom: Whom) -> int:
    theirs = _intents(db, whom)
    for intent in theirs:
        db.execute("UPDATE intents SET body = ? WHERE id = ?", (to_line(forget.emptied(intent, whom)), intent.id))
    return len(theirs)


def _drop_unused(db: sqlite3.Connection, left: set[int]) -> None:
    """Facets that say nothing but their name. Whoever holds their ids sees a new row in ``erasures`` and forgets them."""
    if not left:
        return
    for (facet,) in db.execute(_UNUSED).fetchall():
        if facet in left:
            for statement in _DROP:
                db.execute(statement, (facet,))
    db.execute("INSERT INTO erasures (body) VALUES ('')")


def _empty_log(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StoreError("the ledger's log is in use by others for too long to be emptied; forget again")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
