"""One SQLite file in use: a connection that writes, one that reads, and another file in its place when it is damaged.

A reader never waits longer than its short timeout. Nothing here is fatal but a file that may not be touched: what
cannot be opened now is tried again with the next turn of writing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pennyworth.errors import ConfigError, StoreError
from pennyworth.stores.opening import (
    ERRORS,
    DamagedError,
    Schema,
    connect,
    connect_to_read,
    in_words,
    is_damage,
    move_aside,
    only_one_process,
    roll_back,
)


class Database:
    """A file that one thread writes and any thread reads, through two connections, reopened when it must be.

    Attributes:
        on_trouble: told in words when a file was set aside; may be called from the writing thread.
    """

    def __init__(
        self, path: Path, schema: Schema, on_trouble: Callable[[str], None], read_s: float, write_s: float
    ) -> None:
        self.path = path
        self.on_trouble = on_trouble
        self._schema = schema
        self._read_s = read_s
        self._write_s = write_s
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._identity = (0, 0)
        self._damage = ""
        self._why_closed = f"{path.name}: being opened again after trouble"

    def open(self) -> None:
        """Makes sure that both connections lead to a sound file at the path. Called before every turn of writing."""
        writer = self._writer
        if writer is None or writer.in_transaction or self._damage or self._identity != self._on_disk():
            self._swap(None, None)
            try:
                with only_one_process(self.path):
                    self._open_or_replace()
            except (StoreError, ConfigError) as error:
                self._why_closed = f"{error}"
                raise

    def read(self, sql: str, parameters: tuple[Any, ...]) -> Any:
        """The first row of the newest committed state, or ``None``. ``StoreError`` when there is no reading it."""
        with self._reading:
            if self._reader is None:
                raise StoreError(self._why_closed)
            try:
                return self._reader.execute(sql, parameters).fetchone()
            except ERRORS as error:
                raise self._failed(error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that takes the write lock at once, committed at the end, undone on any exception."""
        db = self._writer
        if db is None:
            raise StoreError(self._why_closed)
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except ERRORS as error:
            raise self._failed(error) from error
        finally:
            roll_back(db)

    def empty_log(self) -> None:
        """Writes the log back into the file and cuts it to nothing, if nobody is reading it just now."""
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def condemn(self, reason: str) -> None:
        """What was read shows that the file is broken: it is set aside when it is next opened."""
        self._damage = f"{self.path.name}: {reason}"

    def close(self) -> None:
        self._why_closed = f"{self.path.name}: closed"
        self._swap(None, None)

    def _open_or_replace(self) -> None:
        try:
            writer = connect(self.path, self._schema, self._write_s)
            if self._damage and self._identity == self._on_disk():
                writer.close()
                raise DamagedError(self._damage)
        except DamagedError as error:
            aside = move_aside(self.path)
            self.on_trouble(f"{error}; moved to {aside.name}, and an empty one begun")
            writer = connect(self.path, self._schema, self._write_s)
        self._damage = ""
        self._identity = self._on_disk()
        self._swap(writer, connect_to_read(self.path, self._read_s))

    def _swap(self, writer: sqlite3.Connection | None, reader: sqlite3.Connection | None) -> None:
        with self._reading:
            for old in (self._writer, self._reader):
                if old is not None:
                    old.close()
            self._writer, self._reader = writer, reader

    def _on_disk(self) -> tuple[int, int]:
        """Which file is at the path now; another process may have set ours aside."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _failed(self, error: Exception) -> StoreError:
        words = in_words(error, self.path)
        if is_damage(error):
            self._damage = words
        return StoreError(words)
