"""The tables of the quota file, what may be done to them, and opening a connection. A file from the future, or of another
kind, is refused.

Each change is one statement: a row inserted into a view whose trigger does the whole of it. Python's SQLite lets go of the
interpreter at each step of a statement and has to win it back from whoever serves requests, up to 5 ms later; a
transaction of many statements would lock everybody else out for as long.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pennyworth.errors import ConfigError
from pennyworth.quotas.sharing import MOST, PARTS
from pennyworth.sqlite_files import make_private, write_ahead

VERSION = 1
_OURS = 0x50575154
"""``PWQT``, in the file's header."""

_ACCOUNT = "subject = new.subject AND unit = new.unit AND since = new.since AND until = new.until"
_ID = f"(SELECT id FROM accounts WHERE {_ACCOUNT})"  # noqa: S608 our own words
_MINE = f"life = new.life AND account = {_ID}"
_HELD = f"(SELECT amount FROM leases WHERE {_MINE})"  # noqa: S608

_TABLES = (
    # used: settled by anybody; leased: the sum of this account's leases.
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, unit TEXT NOT NULL, since REAL NOT NULL,"
    " until REAL NOT NULL, used INTEGER NOT NULL, leased INTEGER NOT NULL, UNIQUE (subject, unit, since, until))",
    # granted: by the last asking. since: from when on the life counts there, unlike an account's, its window's start.
    "CREATE TABLE leases (life TEXT NOT NULL, account INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " settled INTEGER NOT NULL, granted INTEGER NOT NULL, since REAL NOT NULL, PRIMARY KEY (life, account)) WITHOUT ROWID",
    "CREATE TABLE said (what TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
    # Asking for a lease: sharing.share_of. opening: what is used of an account that nobody has opened yet.
    "CREATE VIEW asks AS SELECT '' life, '' subject, '' unit, 0.0 since, 0.0 until, 0 opening, 0 ceiling, 0 want,"
    " 0 least, 0.0 counts_since",
    f"""CREATE TRIGGER ask INSTEAD OF INSERT ON asks BEGIN
        INSERT OR IGNORE INTO accounts (subject, unit, since, until, used, leased)
            VALUES (new.subject, new.unit, new.since, new.until, new.opening, 0);
        INSERT OR IGNORE INTO leases (life, account, amount, settled, granted, since)
            VALUES (new.life, {_ID}, 0, 0, 0, new.counts_since);
        UPDATE leases SET granted = (
            SELECT CASE WHEN new.least > new.ceiling - used - leased THEN 0 ELSE
                min(new.ceiling - used - leased, max(new.least, min(new.want, (new.ceiling - used - leased) / {PARTS})))
            END FROM accounts WHERE {_ACCOUNT}) WHERE {_MINE};
        UPDATE accounts SET leased = leased + (SELECT granted FROM leases WHERE {_MINE}) WHERE {_ACCOUNT};
        UPDATE leases SET amount = amount + granted WHERE {_MINE};
    END""",  # noqa: S608 our own words
    # Settling a bill: sharing.billed.
    "CREATE VIEW bills AS SELECT '' life, '' subject, '' unit, 0.0 since, 0.0 until, 0 used, 0 back",
    f"""CREATE TRIGGER bill INSTEAD OF INSERT ON bills BEGIN
        INSERT OR IGNORE INTO accounts (subject, unit, since, until, used, leased)
            VALUES (new.subject, new.unit, new.since, new.until, 0, 0);
        INSERT OR IGNORE INTO leases (life, account, amount, settled, granted, since)
            VALUES (new.life, {_ID}, 0, 0, 0, new.since);
        UPDATE accounts SET used = min({MOST}, used + new.used),
            leased = leased - {_HELD} + max(0, {_HELD} - new.used - new.back) WHERE {_ACCOUNT};
        UPDATE leases SET amount = max(0, amount - new.used - new.back), settled = min({MOST}, settled + new.used)
            WHERE {_MINE};
    END""",  # noqa: S608
    # The end of a dead worker's lease, unless somebody else has ended it: sharing.ended.
    "CREATE VIEW burials AS SELECT '' life, 0 account, 0 unsettled",
    f"""CREATE TRIGGER burial INSTEAD OF INSERT ON burials
        WHEN EXISTS (SELECT 1 FROM leases WHERE life = new.life AND account = new.account) BEGIN
        UPDATE accounts SET used = min({MOST}, used + new.unsettled),
            leased = leased - (SELECT amount FROM leases WHERE life = new.life AND account = new.account)
            WHERE id = new.account;
        DELETE FROM leases WHERE life = new.life AND account = new.account;
    END""",  # noqa: S608
)

_OPENING_S = 5.0


def connect(path: Path, *, busy_s: float, checkpoints: bool) -> sqlite3.Connection:
    """A connection in write-ahead mode to a file that has our tables. Raises ``sqlite3.Error``, ``OSError``, ``ConfigError``.

    ``checkpoints``: this connection may be the one that waits for the disk, now and then.
    """
    make_private(path)
    db = sqlite3.connect(path, timeout=_OPENING_S, isolation_level=None, check_same_thread=False)
    try:
        _refuse_others(db, path)
        write_ahead(db, _OPENING_S)
        _migrate(db)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -512")
        db.execute(f"PRAGMA wal_autocheckpoint = {1000 if checkpoints else 0}")
        db.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    if _pragma(db, "user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if _pragma(db, "user_version") == 0:
            for statement in _TABLES:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_OURS}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _refuse_others(db: sqlite3.Connection, path: Path) -> None:
    if (version := _pragma(db, "user_version")) > VERSION:
        raise ConfigError(
            "state_dir",
            f"{path} has schema {version} of the quotas, this Pennyworth knows up to {VERSION}",
            "Run the newer Pennyworth that wrote it, or point state_dir elsewhere.",
        )
    if _pragma(db, "application_id") != _OURS and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ConfigError("state_dir", f"{path} is a database of another program", "Choose another folder.")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
