"""The ledger in one SQLite file: receipts by id, sums by hour and facet, and how far each journal segment was folded.

Whether a receipt counts is decided by its insertion into ``receipts``, in the transaction that adds it to the sums; so
the same record counts once, whoever folds it, and however often.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec

from pennyworth.errors import StoreError
from pennyworth.ledgers.lines import (
    Booked,
    DamagedLineError,
    Record,
    storable,
    to_intent,
    to_line,
    to_receipt,
    unsummable,
)
from pennyworth.ledgers.segment_book import OpenIntent, Progress, Stretch
from pennyworth.ledgers.sqlite_read import receipts_before, receipts_of_run, totals_in
from pennyworth.ledgers.sqlite_schema import connect
from pennyworth.ledgers.sqlite_write import FacetIds, book
from pennyworth.ledgers.tally import checked_filter
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group

BUSY_S = 5.0


class SqliteLedger:
    """The ledger at ``path``. Any number of processes and threads may fold into it and read it.

    Reading waits for no fold. Everything raises ``StoreError`` when the file is locked for too long, full or corrupt.
    """

    def __init__(self, path: str | Path, busy_s: float = BUSY_S) -> None:
        self._path = Path(path)
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._facet_ids: FacetIds = {}
        self._erasures = 0
        with self._as_store_error():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with ExitStack() as opened:
                self._writer = opened.enter_context(closing(connect(self._path, busy_s=busy_s)))
                self._reader = opened.enter_context(closing(connect(self._path, busy_s=busy_s)))
                self._connections = opened.pop_all()

    def fold(self, records: Iterable[Record]) -> int:
        """Books records that come from no journal; returns how many receipts were new."""
        whole = [storable(record) for record in records]
        for record in whole:
            if problem := unsummable(record):
                raise StoreError(f"record {record.id} cannot be booked: {problem}")
        booked = [Booked(record, to_line(record)) for record in whole]
        with self._writing() as connection:
            return book(connection, booked, "", self._facet_ids)

    def totals(self, since_s: float, until_s: float, by: Group = "") -> dict[str, Totals]:
        with self._reading() as connection:
            return totals_in(connection, since_s, until_s, by)

    def receipts(
        self, limit: int, before_s: float | None = None, where: Mapping[str, str] | None = None
    ) -> Sequence[Receipt]:
        wanted = checked_filter(where)
        with self._reading() as connection:
            return receipts_before(connection, max(limit, 0), before_s, wanted)

    def receipt(self, receipt_id: str) -> Receipt | None:
        with self._reading() as connection:
            row = connection.execute("SELECT body FROM receipts WHERE id = ?", (receipt_id,)).fetchone()
            return to_receipt(row[0]) if row else None

    def receipts_of_run(self, run: str, since_s: float, until_s: float, where: Mapping[str, str]) -> Sequence[Receipt]:
        """All receipts of one run of a worker in [since_s, until_s), in no order."""
        wanted = checked_filter(where)
        with self._reading() as connection:
            return receipts_of_run(connection, run, since_s, until_s, wanted)

    def progress(self, segment: str) -> Progress:
        with self._read_lock, self._as_store_error():
            return _progress(self._reader, segment)

    def fold_stretch(self, stretch: Stretch) -> bool:
        with self._writing() as connection:
            done = _progress(connection, stretch.segment)
            if done.offset != stretch.start:
                return False
            book(connection, stretch.booked, stretch.owner, self._facet_ids)
            connection.execute(
                "INSERT OR REPLACE INTO folded VALUES (?, ?, ?)",
                (stretch.segment, stretch.end, done.damaged + stretch.damaged),
            )
        return True

    def open_intents(self) -> Sequence[OpenIntent]:
        with self._reading() as connection:
            rows = connection.execute("SELECT owner, body FROM intents WHERE owner != ''").fetchall()
            return [OpenIntent(owner, to_intent(body)) for owner, body in rows]

    def forget(self, segment: str) -> None:
        # The segment is about to be removed, so what was folded from it must be on the disk, not only in the kernel:
        # this commit waits for the disk, and the log it writes out is one, with all earlier commits in it.
        with self._write_lock, self._as_store_error():
            self._writer.execute("PRAGMA synchronous=FULL")
            try:
                self._writer.execute("DELETE FROM folded WHERE segment = ?", (segment,))
            finally:
                self._writer.execute("PRAGMA synchronous=NORMAL")

    def close(self) -> None:
        with self._write_lock, self._read_lock, self._as_store_error():
            self._connections.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, self._as_store_error():
            try:
                with _transaction(self._writer, "BEGIN IMMEDIATE"):
                    self._heed_erasures()
                    yield self._writer
            except BaseException:
                self._facet_ids.clear()  # one of them may have been undone with the rest
                raise

    def _heed_erasures(self) -> None:
        """Facets that somebody's forgetting left empty are gone, and their ids with them."""
        erasures = self._writer.execute("SELECT coalesce(max(n), 0) FROM erasures").fetchone()[0]
        if erasures != self._erasures:
            self._erasures = erasures
            self._facet_ids.clear()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._read_lock, self._as_store_error(), _transaction(self._reader, "BEGIN"):
            yield self._reader

    @contextmanager
    def _as_store_error(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, DamagedLineError, msgspec.MsgspecError) as error:
            raise StoreError(f"ledger {self._path}: {error}") from error


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _progress(connection: sqlite3.Connection, segment: str) -> Progress:
    row = connection.execute("SELECT offset, damaged FROM folded WHERE segment = ?", (segment,)).fetchone()
    return Progress(*row) if row else Progress()
