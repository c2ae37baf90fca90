"""How kept answers lie in SQLite tables, and how older files become like new ones.

An answer is one row however many keys lead to it, and counts them; it goes with the last. What a sweep looks at stands
beside the key, in small rows: the large ones are only touched to be read, written or removed. A key's number says which
queue it waits in: newcomers below ``PROVEN``, those that were asked again from there on, each in order of number.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from pennyworth.stores.opening import DamagedError, Schema

PER_KEY = 210
"""Bytes of the file a key takes, indices included (measured: ``benchmarks/store.py``)."""

PROVEN = 2**61

_FIRST = """
CREATE TABLE answers (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, model TEXT NOT NULL, asked_key TEXT NOT NULL,
    created_s REAL NOT NULL, asked_epoch INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE keys (
    n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, answer INTEGER NOT NULL, dead_s REAL NOT NULL,
    proven INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0, head BLOB NOT NULL, mac BLOB NOT NULL);
CREATE INDEX keys_answer ON keys (answer);
CREATE TABLE tags (tag TEXT NOT NULL, answer INTEGER NOT NULL, PRIMARY KEY (tag, answer)) WITHOUT ROWID;
CREATE INDEX tags_answer ON tags (answer);
CREATE TABLE totals (entries INTEGER, newcomers INTEGER, bytes INTEGER, evictions INTEGER);
INSERT INTO totals VALUES (0, 0, 0, 0);
"""
"""Version 1, without what its files have besides (indices for purges, triggers) and the next step drops with the tables."""

_SMALL_ROWS = f"""
ALTER TABLE answers RENAME TO answers_1;
ALTER TABLE keys RENAME TO keys_1;
DROP INDEX IF EXISTS keys_dead;
CREATE TABLE answers (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, keys INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE keys (
    n INTEGER PRIMARY KEY, key BLOB NOT NULL, answer INTEGER NOT NULL, dead_s REAL NOT NULL,
    created_s REAL NOT NULL, asked_epoch INTEGER NOT NULL, scope TEXT NOT NULL, model TEXT NOT NULL,
    asked_key TEXT NOT NULL, tags TEXT NOT NULL, read INTEGER NOT NULL, head BLOB NOT NULL, mac BLOB NOT NULL);
CREATE INDEX keys_key ON keys (substr(key, 1, 8));
CREATE INDEX keys_dead ON keys (dead_s);
INSERT INTO answers
    SELECT n, id, (SELECT count(*) FROM keys_1 WHERE answer = a.n), size, body FROM answers_1 AS a ORDER BY n;
INSERT INTO keys
    SELECT k.n + iif(proven, {PROVEN}, 0), key, answer, dead_s, created_s, asked_epoch, scope, model, asked_key,
        iif(EXISTS (SELECT 1 FROM tags WHERE answer = a.n),
            (SELECT json_group_array(tag) FROM tags WHERE answer = a.n), ''), read, head, mac
    FROM keys_1 AS k JOIN answers_1 AS a ON a.n = k.answer ORDER BY 1;
DELETE FROM answers WHERE keys = 0;
UPDATE totals SET entries = (SELECT count(*) FROM keys), newcomers = (SELECT count(*) FROM keys WHERE n < {PROVEN}),
    bytes = (SELECT coalesce(sum(size), 0) FROM answers);
DROP TABLE keys_1;
DROP TABLE answers_1;
DROP TABLE tags;
"""  # noqa: S608 a number
"""Version 2. Keys are found by their first eight bytes: they are random, so each put writes a page of that index somewhere,
and a third of the pages are fewer to write. That a key is there once is seen to by whoever writes. Of version 1's nine indices only that on ``dead_s`` is left: they cost more than half of each put, for purges,
and a purge can as well look at all keys in turn."""

_WHOSE = """
ALTER TABLE keys ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN end_user TEXT NOT NULL DEFAULT '';
CREATE TABLE salts (scope TEXT PRIMARY KEY, salt BLOB NOT NULL) WITHOUT ROWID;
"""
"""Version 3: who asked, so that they can be forgotten, and the salts of encrypted scopes."""

_SETTINGS = (
    "secure_delete = ON",
    "synchronous = NORMAL",
    "cache_size = -4096",
    "temp_store = MEMORY",
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 33554432",
)
"""What is deleted is overwritten. NORMAL: a power cut may lose the last puts, never break the file. A log of 16 MB instead of 4: a quarter less CPU a put,
because the scattered pages of the indices are copied back less often."""

SCHEMA = Schema("cache", 0x50575354, (_FIRST, _SMALL_ROWS, _WHOSE), _SETTINGS)

READ = """SELECT k.head, k.mac, k.read, k.scope, a.body
          FROM keys AS k JOIN answers AS a ON a.n = k.answer WHERE substr(k.key, 1, 8) = substr(?1, 1, 8) AND k.key = ?1"""
READ_SALTED = """SELECT k.head, k.mac, k.read, k.scope, a.body, s.salt
                 FROM keys AS k JOIN answers AS a ON a.n = k.answer LEFT JOIN salts AS s ON s.scope = k.scope
                 WHERE substr(k.key, 1, 8) = substr(?1, 1, 8) AND k.key = ?1"""
THESE_KEYS = """n IN (SELECT found.n FROM (VALUES {rows}) JOIN keys AS found
                ON substr(found.key, 1, 8) = substr(column1, 1, 8) AND found.key = column1)"""
WHOSE = {"user": "end_user", "client": "client", "scope": "scope"}
"""The column beside a key by which somebody's answers are found."""

TOTALS = "SELECT entries, newcomers, bytes, evictions FROM totals"


class Totals(msgspec.Struct):
    """How much there is: keys, those of them that are newcomers, bytes of answers; and keys evicted so far."""

    entries: int
    newcomers: int
    bytes: int
    evictions: int

    @property
    def taken(self) -> int:
        """Bytes of the file that so many keys and their answers take."""
        return self.entries * PER_KEY + self.bytes

    def save(self, db: sqlite3.Connection) -> None:
        values = (self.entries, self.newcomers, self.bytes, self.evictions)
        db.execute("UPDATE totals SET entries = ?, newcomers = ?, bytes = ?, evictions = ?", values)


def totals_of(found: object) -> Totals:
    """The row that ``TOTALS`` found; ``DamagedError`` when it is none of ours."""
    match found:
        case (int(entries), int(newcomers), int(answers), int(evictions)):
            return Totals(entries, newcomers, answers, evictions)
    raise DamagedError("the totals are damaged")


def load_totals(db: sqlite3.Connection) -> Totals:
    return totals_of(db.execute(TOTALS).fetchone())


def all_of(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    """What a statement that gathers its rows into one JSON array found; ``DamagedError`` when that is no JSON."""
    found = db.execute(statement, values).fetchone()[0]
    try:
        return msgspec.json.decode(found)
    except msgspec.MsgspecError as error:
        raise DamagedError(f"a row that cannot be read: {error}") from error
