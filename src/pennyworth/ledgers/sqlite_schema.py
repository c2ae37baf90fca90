"""The tables of the SQLite ledger, and opening a connection to them. A schema from the future is refused.

Money in the sums is split into two integers (``pico = hi · 2³⁰ + lo``): a plain 64-bit sum of picodollars overflows at
$9.2 million, and the two halves do not before 8.6 billion receipts or $9.9 quadrillion.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from pennyworth.errors import ConfigError
from pennyworth.sqlite_files import make_private, write_ahead

VERSION = 2

_FACETS = (
    "CREATE TABLE facets (id INTEGER PRIMARY KEY, scope TEXT NOT NULL, model TEXT NOT NULL, route TEXT NOT NULL,"
    " served TEXT NOT NULL, ending TEXT NOT NULL, client TEXT NOT NULL, team TEXT NOT NULL,"
    " UNIQUE (scope, model, route, served, ending, client, team))"
)

_TABLES = (
    _FACETS,
    "CREATE TABLE receipts (id TEXT PRIMARY KEY, at REAL NOT NULL, facet INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX receipts_at ON receipts (at, facet)",
    "CREATE TABLE intents (id TEXT PRIMARY KEY, owner TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE folded (segment TEXT PRIMARY KEY, offset INTEGER NOT NULL, damaged INTEGER NOT NULL)",
    "CREATE TABLE sums (hour INTEGER NOT NULL, facet INTEGER NOT NULL, requests INTEGER NOT NULL,"
    " calls INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL,"
    " estimated INTEGER NOT NULL, unpriced INTEGER NOT NULL, spent_hi INTEGER NOT NULL, spent_lo INTEGER NOT NULL,"
    " would_hi INTEGER NOT NULL, would_lo INTEGER NOT NULL, own_hi INTEGER NOT NULL, own_lo INTEGER NOT NULL,"
    " PRIMARY KEY (hour, facet)) WITHOUT ROWID",
    "CREATE TABLE saved (hour INTEGER NOT NULL, facet INTEGER NOT NULL, layer TEXT NOT NULL,"
    " hi INTEGER NOT NULL, lo INTEGER NOT NULL, PRIMARY KEY (hour, facet, layer)) WITHOUT ROWID",
)

_ERASURES = "CREATE TABLE IF NOT EXISTS erasures (n INTEGER PRIMARY KEY, body BLOB NOT NULL)"
"""Who was forgotten. The number of rows also tells whoever remembers facets by their ids that some may be gone."""

_TO_SCHEMA_2 = (
    # Receipts of schema 1 knew neither client nor team. Ids stay, so that sums and receipts keep their facets.
    "ALTER TABLE facets RENAME TO facets_of_schema_1",
    _FACETS,
    "INSERT INTO facets SELECT id, scope, model, route, served, ending, '', '' FROM facets_of_schema_1",
    "DROP TABLE facets_of_schema_1",
)

_STEPS = {0: _TABLES, 1: _TO_SCHEMA_2}
"""What brings a file of that schema to the newest."""

_LOW_BITS = 30


def split(pico: int) -> tuple[int, int]:
    return pico >> _LOW_BITS, pico & (2**_LOW_BITS - 1)


def joined(hi: int, lo: int) -> int:
    return (hi << _LOW_BITS) + lo


def connect(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """A connection in write-ahead mode to a database that has our tables. Raises ``sqlite3.Error``, ``ConfigError``."""
    with suppress(OSError):  # what cannot be made is told by SQLite
        make_private(path)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        write_ahead(connection, busy_s)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")
        _migrate(connection, path)
        connection.execute(_ERASURES)  # nothing, and no lock, where it is there
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _refuse_newer(_version(connection), path)
        for statement in _STEPS.get(_version(connection), ()):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_newer(version: int, path: Path) -> None:
    if version > VERSION:
        raise ConfigError(
            "state_dir",
            f"the ledger {path} has schema {version}, and this Pennyworth knows schemas up to {VERSION}",
            "Run the newer Pennyworth again, or point state_dir elsewhere.",
        )
