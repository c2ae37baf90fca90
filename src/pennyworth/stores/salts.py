"""The salts of encrypted scopes, in the cache file beside what is encrypted with them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection

import msgspec

from pennyworth.stores.cover import Salts

_BYTES = 32

_FIND = "SELECT scope, salt FROM salts WHERE scope IN (SELECT value FROM json_each(?))"


def salts_of(db: sqlite3.Connection, marks: Collection[str]) -> Salts:
    """Those of these scopes, made where they are missing; inside the caller's transaction."""
    asked = msgspec.json.encode(sorted(marks)).decode()
    found = dict(db.execute(_FIND, (asked,)).fetchall())
    made = {mark: secrets.token_bytes(_BYTES) for mark in marks if mark not in found}
    db.executemany("INSERT INTO salts VALUES (?, ?)", made.items())
    return found | made


def shred(db: sqlite3.Connection, mark: str) -> bool:
    """What was encrypted in this scope can be read by nobody any more, wherever a copy lies that has not its salt."""
    return db.execute("DELETE FROM salts WHERE scope = ?", (mark,)).rowcount > 0
