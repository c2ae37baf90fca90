"""The shared control row: kill switch, purge epochs and switches, in memory or in a small SQLite file.

It is not a cache: a purge forgotten would bring purged answers back. So the file is synced before a change counts,
and one that is damaged is reported, never begun anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pennyworth.errors import StoreError
from pennyworth.stores.opening import (
    ERRORS,
    DamagedError,
    Schema,
    connect,
    connect_to_read,
    in_words,
    is_damage,
    only_one_process,
    roll_back,
)
from pennyworth.view import Control

_TABLE = "CREATE TABLE control (one INTEGER PRIMARY KEY CHECK (one = 1), row BLOB NOT NULL, digest BLOB NOT NULL);"

_TIMEOUT_S = 0.25
_READ_S = 0.03

_MEND = "Stop all workers, move the file away, start again, and purge everything: it may have held purges."


class MemoryControl:
    """A ``ControlRow`` for one process."""

    def __init__(self, row: Control | None = None) -> None:
        self._row = row or Control()
        self._changing = threading.Lock()

    def read(self) -> Control:
        return self._row

    def change(self, apply: Callable[[Control], Control]) -> Control:
        with self._changing:
            self._row = _next(self._row, apply)
            return self._row

    def close(self) -> None:
        """Nothing to close."""


class SqliteControl:
    """A ``ControlRow`` in a file, shared by the processes of a machine. ``first`` is the row of a new file.

    ``ConfigError`` when the file is a newer Pennyworth's or another program's, ``StoreError`` when it cannot be used.
    """

    def __init__(self, path: Path, first: Control | None = None) -> None:
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Control).decode
        self._row = first or Control()
        self._data_version = -1
        self._changing = threading.Lock()
        self._reading = threading.Lock()
        with self._errors(), only_one_process(path):
            self._writer = connect(path, self._schema(), _TIMEOUT_S)
            self._writer.text_factory = bytes
            self._reader = connect_to_read(path, _READ_S)

    def read(self) -> Control:
        """SQLite counts the changes that others commit; while the count stands, so does the decoded row."""
        with self._reading, self._errors():
            data_version = self._reader.execute("PRAGMA data_version").fetchone()[0]
            if data_version != self._data_version:
                self._row = self._load(self._reader)
                self._data_version = data_version
            return self._row

    def change(self, apply: Callable[[Control], Control]) -> Control:
        with self._changing, self._errors():
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                row = _next(self._load(self._writer), apply)
                self._writer.execute("UPDATE control SET row = ?, digest = ?", self._sealed(row))
                self._writer.execute("COMMIT")
                return row
            finally:
                roll_back(self._writer)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def _schema(self) -> Schema:
        """The table is made with its row in one transaction: a table without one is damaged, not new."""
        body, digest = self._sealed(self._row)
        fill = f"INSERT INTO control VALUES (1, x'{body.hex()}', x'{digest.hex()}');"  # noqa: S608 only hex digits
        return Schema("control row", 0x50574352, (_TABLE + fill,), ("synchronous = FULL",))

    def _sealed(self, row: Control) -> tuple[bytes, bytes]:
        body = self._encode(row)
        return body, hashlib.sha256(body).digest()

    def _load(self, db: sqlite3.Connection) -> Control:
        found = db.execute("SELECT row, digest FROM control").fetchone()
        try:
            body, digest = found
            if hashlib.sha256(body).digest() == digest:
                return self._decode(body)
        except (TypeError, msgspec.MsgspecError):  # no row, values of other types, or fields of another release
            pass
        raise StoreError(f"{self._path.name}: the control row is damaged. {_MEND}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            raise StoreError(f"{error}. {_MEND}") from error
        except ERRORS as error:
            mend = f". {_MEND}" if is_damage(error) else ""
            raise StoreError(f"{in_words(error, self._path)}{mend}") from error


def _next(row: Control, apply: Callable[[Control], Control]) -> Control:
    return msgspec.structs.replace(apply(row), version=row.version + 1)
