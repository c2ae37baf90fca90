"""How kept answers lie in SQLite tables, and how a row proves that it is ours.

An answer is one row however many keys lead to it. Each key's row carries an HMAC over key, head (tier, expiry, asks)
and the whole answer: a flipped bit, a cut value, a row moved to another key or written under another secret reads as
"not there". The columns beside are for sweeping only. Triggers keep the totals and drop an answer with its last key.
"""

from __future__ import annotations

import hmac
import math
import re
import sqlite3
from typing import Any, Literal

import msgspec

from pennyworth.outcome import Answer, Kept
from pennyworth.request import Key
from pennyworth.stores.opening import DamagedError, Schema
from pennyworth.view import Control

PER_KEY = 260
"""Bytes of the file a key takes, indices included (measured: ``benchmarks/store.py``)."""

PER_ANSWER = 300
"""Bytes of the file an answer takes besides its encoded self."""

NEWCOMERS = 0.1
"""Share of the keys that have not been read again since they came; beyond it these are evicted first."""

_FIRST = """
CREATE TABLE answers (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, model TEXT NOT NULL, asked_key TEXT NOT NULL,
    created_s REAL NOT NULL, asked_epoch INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX answers_epoch ON answers (asked_epoch);
CREATE INDEX answers_scope ON answers (scope, asked_epoch);
CREATE INDEX answers_model ON answers (model, asked_epoch);
CREATE INDEX answers_key ON answers (asked_key);
CREATE INDEX answers_created ON answers (created_s);

CREATE TABLE keys (
    n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, answer INTEGER NOT NULL, dead_s REAL NOT NULL,
    proven INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0, head BLOB NOT NULL, mac BLOB NOT NULL);
CREATE INDEX keys_answer ON keys (answer);
CREATE INDEX keys_dead ON keys (dead_s);
CREATE INDEX keys_queue ON keys (proven);

CREATE TABLE tags (tag TEXT NOT NULL, answer INTEGER NOT NULL, PRIMARY KEY (tag, answer)) WITHOUT ROWID;
CREATE INDEX tags_answer ON tags (answer);

CREATE TABLE totals (entries INTEGER, newcomers INTEGER, bytes INTEGER, evictions INTEGER);
INSERT INTO totals VALUES (0, 0, 0, 0);

CREATE TRIGGER key_in AFTER INSERT ON keys BEGIN
    UPDATE totals SET entries = entries + 1, newcomers = newcomers + 1 - new.proven;
END;
CREATE TRIGGER key_out AFTER DELETE ON keys BEGIN
    UPDATE totals SET entries = entries - 1, newcomers = newcomers - 1 + old.proven;
    DELETE FROM answers WHERE n = old.answer AND NOT EXISTS (SELECT 1 FROM keys WHERE answer = old.answer);
END;
CREATE TRIGGER key_proven AFTER UPDATE OF proven ON keys WHEN new.proven > old.proven BEGIN
    UPDATE totals SET newcomers = newcomers - 1;
END;
CREATE TRIGGER key_turned AFTER UPDATE OF answer ON keys WHEN new.answer <> old.answer BEGIN
    DELETE FROM answers WHERE n = old.answer AND NOT EXISTS (SELECT 1 FROM keys WHERE answer = old.answer);
END;
CREATE TRIGGER answer_in AFTER INSERT ON answers BEGIN
    UPDATE totals SET bytes = bytes + new.size;
END;
CREATE TRIGGER answer_changed AFTER UPDATE OF size ON answers BEGIN
    UPDATE totals SET bytes = bytes + new.size - old.size;
END;
CREATE TRIGGER answer_out AFTER DELETE ON answers BEGIN
    UPDATE totals SET bytes = bytes - old.size;
    DELETE FROM tags WHERE answer = old.n;
END;
"""

_SETTINGS = ("synchronous = NORMAL", "cache_size = -8192", "wal_autocheckpoint = 4000", "journal_size_limit = 33554432")
"""NORMAL: a power cut may lose the last puts, never break the file. A log of 16 MB instead of 4: a quarter less CPU a put,
because the scattered pages of the indices are copied back less often."""

SCHEMA = Schema("cache", 0x50575354, (_FIRST,), _SETTINGS)

READ = """SELECT k.head, k.mac, k.read, a.scope, a.body
          FROM keys AS k JOIN answers AS a ON a.n = k.answer WHERE k.key = ?"""
TOTALS = "SELECT entries, newcomers, bytes, evictions FROM totals"
"""``bytes`` is that of the answers: ``taken`` adds the keys."""

_PUT_ANSWER = """INSERT INTO answers (id, scope, model, asked_key, created_s, asked_epoch, size, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, body = excluded.body, size = excluded.size
                 WHERE body IS NOT excluded.body OR scope IS NOT excluded.scope"""
_PUT_KEY = """INSERT INTO keys (key, answer, dead_s, head, mac) SELECT ?, n, ?, ?, ? FROM answers WHERE id = ?
              ON CONFLICT (key) DO UPDATE SET answer = excluded.answer, dead_s = excluded.dead_s,
              head = excluded.head, mac = excluded.mac, read = 1"""
_PUT_TAG = "INSERT OR IGNORE INTO tags (tag, answer) SELECT ?, n FROM answers WHERE id = ?"

_OLDEST = "SELECT n, read FROM keys WHERE proven = ? ORDER BY n LIMIT 1"
_TO_THE_BACK = "UPDATE keys SET n = (SELECT max(n) + 1 FROM keys), proven = 1, read = 0 WHERE n = ?"
_MARK_READ = "UPDATE keys SET read = 1 WHERE key = ?"

_BY_ANSWER = "DELETE FROM keys WHERE n IN (SELECT k.n FROM answers AS a JOIN keys AS k ON k.answer = a.n WHERE "
_DEAD = "DELETE FROM keys WHERE n IN (SELECT n FROM keys WHERE dead_s <= ? LIMIT ?)"
_OLD = _BY_ANSWER + "a.created_s < ? LIMIT ?)"
_PURGED = {
    "all": _BY_ANSWER + "a.asked_epoch < ? LIMIT ?)",
    "model": _BY_ANSWER + "a.model = ? AND a.asked_epoch < ? LIMIT ?)",
    "scope": _BY_ANSWER + "a.scope = ? AND a.asked_epoch < ? LIMIT ?)",
    "key": _BY_ANSWER + "a.asked_key = ? AND a.asked_epoch < ? LIMIT ?)",
    "tag": """DELETE FROM keys WHERE n IN (SELECT k.n FROM tags AS t JOIN answers AS a ON a.n = t.answer
              JOIN keys AS k ON k.answer = a.n WHERE t.tag = ? AND a.asked_epoch < ? LIMIT ?)""",
}
_PURGED_PREFIX = """DELETE FROM keys WHERE n IN (SELECT k.n FROM keys AS k JOIN answers AS a ON a.n = k.answer
                    WHERE k.key BETWEEN ? AND ? AND a.asked_epoch < ? LIMIT ?)"""

_KEY_PREFIX = re.compile("[0-9a-f]{16}")
"""What ``Control.kills`` compares of a key: no other value of a purge by key can select one."""


class Row(msgspec.Struct, frozen=True):
    """A kept answer, ready to be written."""

    key: Key
    answer: Answer
    dead_s: float
    head: bytes
    body: bytes
    mac: bytes

    @property
    def size(self) -> int:
        """Bytes its answer counts for."""
        return PER_ANSWER + len(self.body) + sum(2 * len(tag) + 60 for tag in self.answer.tags)


class Seal:
    """Turns kept answers into rows and back, under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"pennyworth store/1", "sha256")
        self._encode = msgspec.msgpack.Encoder().encode
        self._answer = msgspec.msgpack.Decoder(Answer).decode
        self._head = msgspec.msgpack.Decoder(tuple[Literal["exact", "normalised"], float, float, int]).decode

    def close(self, kept: Kept) -> Row:
        """``ValueError`` for what no row can hold: text that is not Unicode, a time that is no number."""
        dead_s, answer = kept.expires_s + kept.stale_s, kept.answer
        if math.isnan(dead_s + answer.created_s) or not -(2**63) <= answer.asked_epoch < 2**63:
            raise ValueError(f"answer {answer.id}: a time or epoch out of range")
        head = self._encode((kept.tier, kept.expires_s, kept.stale_s, kept.asks))
        body = self._encode(answer)
        return Row(kept.key, answer, dead_s, head, body, self._mac(kept.key, head, body))

    def open(self, key: Key, head: bytes, mac: bytes, scope: bytes, body: bytes) -> Kept | None:
        """``None`` when it is not, bit for bit, what was written under this key and secret."""
        try:
            if not hmac.compare_digest(mac, self._mac(key, head, body)):
                return None
            answer = self._answer(body)
            tier, expires_s, stale_s, asks = self._head(head)
        except (TypeError, ValueError, msgspec.MsgspecError):  # a damaged row may hold values of any type
            return None
        if scope != answer.scope.encode():
            return None
        return Kept(key=key, tier=tier, answer=answer, expires_s=expires_s, stale_s=stale_s, asks=asks)

    def _mac(self, key: bytes, head: bytes, body: bytes) -> bytes:
        return hmac.digest(self._secret, key + head + body, "sha256")  # the head's encoding ends itself: no two cuts


def totals(found: object) -> tuple[int, int, int, int]:
    """The row that ``TOTALS`` found; ``DamagedError`` when it is none of ours."""
    match found:
        case (int(entries), int(newcomers), int(answers), int(evictions)):
            return entries, newcomers, answers, evictions
    raise DamagedError("the totals are damaged")


def taken(entries: int, answers: int) -> int:
    """Bytes of the file that so many keys and their answers take."""
    return entries * PER_KEY + answers


def write(db: sqlite3.Connection, row: Row) -> None:
    answer = row.answer
    named = (answer.id, answer.scope, answer.model, answer.key)
    db.execute(_PUT_ANSWER, (*named, answer.created_s, answer.asked_epoch, row.size, row.body))
    db.execute(_PUT_KEY, (row.key, row.dead_s, row.head, row.mac, answer.id))
    for tag in answer.tags:
        db.execute(_PUT_TAG, (tag, answer.id))


def mark_read(db: sqlite3.Connection, keys: set[Key]) -> None:
    db.executemany(_MARK_READ, [(key,) for key in keys])


def evict(db: sqlite3.Connection, max_entries: int, max_bytes: int) -> None:
    """Deletes until both limits hold: two queues, and who was read since the last turn gets another.

    The short queue of newcomers gives nearly what the memory store's S3-FIFO gives, without remembering evicted keys
    (``docs/decisions/0003-eviction.md``).
    """
    while True:
        entries, newcomers, answers, _ = totals(db.execute(TOTALS).fetchone())
        if entries <= max_entries and taken(entries, answers) <= max_bytes:
            return
        proven = newcomers < entries and newcomers <= NEWCOMERS * entries
        oldest = db.execute(_OLDEST, (int(proven),)).fetchone()
        if oldest is None:
            raise DamagedError("the totals do not match the rows")
        n, read = oldest
        if read:
            db.execute(_TO_THE_BACK, (n,))
        else:
            db.execute("DELETE FROM keys WHERE n = ?", (n,))
            db.execute("UPDATE totals SET evictions = evictions + 1")


def delete_dead(db: sqlite3.Connection, control: Control, now_s: float, limit: int) -> int:
    """Deletes up to ``limit`` keys that are past their stale window or that a purge selects. How many it was."""
    deleted = 0
    for sql, parameters in _selections(control, now_s):
        deleted += db.execute(sql, (*parameters, limit - deleted)).rowcount
        if deleted >= limit:
            break
    return deleted


def _selections(control: Control, now_s: float) -> list[tuple[str, tuple[Any, ...]]]:
    """``Control.kills`` and expiry as statements, each answered by an index."""
    found: list[tuple[str, tuple[Any, ...]]] = [(_DEAD, (now_s,))]
    if control.older_than_s:
        found.append((_OLD, (control.older_than_s,)))
    for name, epoch in control.purges.items():
        by, _, value = name.partition(":")
        if by == "all":
            found.append((_PURGED[by], (epoch,)))
        elif by in _PURGED:
            found.append((_PURGED[by], (value, epoch)))
        if by == "key" and _KEY_PREFIX.fullmatch(value):
            start = bytes.fromhex(value)
            found.append((_PURGED_PREFIX, (start, start + b"\xff" * 32, epoch)))
    return found
