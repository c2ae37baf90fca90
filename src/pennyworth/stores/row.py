"""One versioned value that all processes of a machine share: in memory, or as the single row of a small SQLite file.

It is no cache: a purge or a revocation forgotten would bring back what was done away with. So the file is synced before
a change counts, and one that is damaged is reported, never begun anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from pennyworth.clients import KeySet
from pennyworth.errors import StoreError
from pennyworth.stores.opening import (
    Schema,
    connect,
    connect_to_read,
    only_one_process,
    roll_back,
    told,
)
from pennyworth.view import Control

_TIMEOUT_S = 0.25
_READ_S = 0.03


T = TypeVar("T", bound=Control | KeySet)
"""What a row may hold: frozen structs with a ``version``."""


class Form(msgspec.Struct, frozen=True):
    """What tells one such file from another.

    ``name``: what it holds, in words. ``mend``: what to do about a damaged one.
    """

    name: str
    table: str
    application_id: int
    mend: str


class MemoryRow(Generic[T]):
    """For one process."""

    def __init__(self, row: T) -> None:
        self._row = row
        self._changing = threading.Lock()

    def read(self) -> T:
        return self._row

    def change(self, apply: Callable[[T], T]) -> T:
        with self._changing:
            self._row = _next(self._row, apply)
            return self._row

    def close(self) -> None:
        """Nothing to close."""


class SqliteRow(Generic[T]):
    """In a file, shared by the processes of a machine. ``first`` is the row of a new file.

    ``ConfigError`` when the file is a newer Pennyworth's or another program's, ``StoreError`` when it cannot be used.
    """

    def __init__(self, path: Path, form: Form, first: T) -> None:
        self._path = path
        self._form = form
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(type(first)).decode
        self._row = first
        self._data_version = -1
        self._changing = threading.Lock()
        self._reading = threading.Lock()
        with told(self._path, self._form.mend), only_one_process(path):
            self._writer = connect(path, self._schema(), _TIMEOUT_S)
            self._writer.text_factory = bytes
            self._reader = connect_to_read(path, _READ_S)

    def read(self) -> T:
        """SQLite counts the changes that others commit; while the count stands, so does the decoded row."""
        with self._reading, told(self._path, self._form.mend):
            data_version = self._reader.execute("PRAGMA data_version").fetchone()[0]
            if data_version != self._data_version:
                self._row = self._load(self._reader)
                self._data_version = data_version
            return self._row

    def change(self, apply: Callable[[T], T]) -> T:
        with self._changing, told(self._path, self._form.mend):
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                row = _next(self._load(self._writer), apply)
                self._writer.execute(f"UPDATE {self._form.table} SET row = ?, digest = ?", self._sealed(row))  # noqa: S608
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
        table = self._form.table
        make = (
            f"CREATE TABLE {table} (one INTEGER PRIMARY KEY CHECK (one = 1), row BLOB NOT NULL, digest BLOB NOT NULL);"
        )
        fill = f"INSERT INTO {table} VALUES (1, x'{body.hex()}', x'{digest.hex()}');"  # noqa: S608  # only hex digits
        return Schema(self._form.name, self._form.application_id, (make + fill,), ("synchronous = FULL",))

    def _sealed(self, row: T) -> tuple[bytes, bytes]:
        body = self._encode(row)
        return body, hashlib.sha256(body).digest()

    def _load(self, db: sqlite3.Connection) -> T:
        found = db.execute(f"SELECT row, digest FROM {self._form.table}").fetchone()  # noqa: S608
        try:
            body, digest = found
            if hashlib.sha256(body).digest() == digest:
                return self._decode(body)
        except (TypeError, msgspec.MsgspecError):  # no row, values of other types, or fields of another release
            pass
        raise StoreError(f"{self._path.name}: the {self._form.name} is damaged. {self._form.mend}")


def _next(row: T, apply: Callable[[T], T]) -> T:
    return msgspec.structs.replace(apply(row), version=row.version + 1)
