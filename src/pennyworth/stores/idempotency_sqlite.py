"""Requests that are made once, in a SQLite file that the workers of a machine share.

A promise is committed before its request is made, so it outlives the process; whose promise it was, and whether that
process lives, tells "under way" from "nobody knows". It is no cache: a damaged file is reported, never begun anew.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from pennyworth.errors import StoreError
from pennyworth.ports import FirstResult, Found, Promise
from pennyworth.stores.alive import Alive
from pennyworth.stores.cover import Cover, NoCover
from pennyworth.stores.opening import (
    ERRORS,
    Schema,
    connect,
    only_one_process,
    roll_back,
    told,
)

SCHEMA = Schema(
    "requests made once",
    0x5057494B,
    (
        """
        CREATE TABLE once (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, seal BLOB NOT NULL, run TEXT NOT NULL, until_s REAL NOT NULL,
            ended INTEGER NOT NULL DEFAULT 0, result BLOB, scope TEXT NOT NULL, client TEXT NOT NULL, end_user TEXT NOT NULL
        );
        CREATE INDEX once_kept ON once (id) WHERE result IS NOT NULL;
        CREATE TABLE held (one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
        INSERT INTO held VALUES (1, 0, 0);
        CREATE TRIGGER once_added AFTER INSERT ON once BEGIN UPDATE held SET rows = rows + 1; END;
        CREATE TRIGGER once_removed AFTER DELETE ON once BEGIN
            UPDATE held SET rows = rows - 1, bytes = bytes - ifnull(length(old.result), 0); END;
        CREATE TRIGGER once_changed AFTER UPDATE OF result ON once BEGIN
            UPDATE held SET bytes = bytes + ifnull(length(new.result), 0) - ifnull(length(old.result), 0); END;
        """,
    ),
    # NORMAL: a commit outlives the process without waiting for the disk. After a power cut the last ones may be gone.
    ("synchronous = NORMAL", "secure_delete = ON", "wal_autocheckpoint = 8000"),
)
_TIMEOUT_S = 0.25
_MOST = 1_000_000
_MOST_BYTES = 256 * 2**20
_AT_A_TIME = 20
_CHECKPOINT_EVERY = 250
"""Commits. SQLite's own checkpoints wait for the disk in whoever commits next, which is the event loop; a thread's hold up nobody."""

_MAC_BYTES = 16
_SALT = b"results of requests made once"
"""The keys are those of the scopes; a result that is forgotten is overwritten, so none needs a salt to throw away."""

_MEND = "Stop all workers, move the file away, start again: requests made before are not known any more then."


class SqliteIdempotency:
    """An ``Idempotency`` in a file. ``secret`` seals the results, so that one that was changed is not given; ``cover``
    hides them, and the names by which they are forgotten.

    ``ConfigError`` when the file is a newer Pennyworth's or another program's, ``StoreError`` when it cannot be used.
    """

    def __init__(
        self,
        path: Path,
        secret: bytes,
        most: int = _MOST,
        most_bytes: int = _MOST_BYTES,
        cover: Cover | None = None,
    ) -> None:
        self._path = path
        self._secret = secret
        self._cover = cover or NoCover()
        self._scopes: dict[bytes, str] = {}
        """Of the promises that this process is keeping just now."""
        self._most = most
        self._most_bytes = most_bytes
        self._decode = msgspec.msgpack.Decoder(FirstResult).decode
        with told(self._path, _MEND), only_one_process(path):
            self._db = connect(path, SCHEMA, _TIMEOUT_S)
        try:
            self._alive = Alive(path.with_suffix(".alive"))
        except StoreError:
            self._db.close()
            raise
        self._commits = 0
        self._thread = ThreadPoolExecutor(1, "pennyworth-idempotency")

    def begin(self, promise: Promise, now_s: float) -> Found:
        with self._transaction() as db:
            row = db.execute(
                "SELECT id, seal, run, until_s, ended, result FROM once WHERE key = ?", (promise.key,)
            ).fetchone()
            if row is not None and now_s < row[3]:
                return self._found(promise, *row[1:3], *row[4:])
            if row is not None:
                db.execute("DELETE FROM once WHERE id = ?", row[:1])
            self._make_room(db, now_s)
            p, name = promise, self._cover.name
            names = (name("scope", p.scope), name("client", p.client), name("user", p.end_user))
            db.execute(
                "INSERT INTO once (key, seal, run, until_s, scope, client, end_user) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (p.key, p.seal, self._alive.run, p.until_s, *names),
            )
        self._scopes[p.key] = p.scope
        return Found("begun")

    def finish(self, key: bytes, result: FirstResult | None) -> None:
        scope = self._scopes.pop(key, "")
        sealed = None if result is None else self._sealed(key, self._covered(scope, msgspec.msgpack.encode(result)))
        with self._transaction() as db:
            db.execute(
                "UPDATE once SET ended = 1, result = ? WHERE key = ? AND run = ? AND ended = 0",
                (sealed, key, self._alive.run),
            )
            self._let_results_go(db)

    def drop(self, key: bytes) -> None:
        self._scopes.pop(key, None)
        with self._transaction() as db:
            db.execute("DELETE FROM once WHERE key = ? AND run = ? AND ended = 0", (key, self._alive.run))

    def close(self) -> None:
        self._thread.shutdown()
        self._alive.close()
        self._db.close()

    def _found(self, promise: Promise, seal: bytes, run: str, ended: int, sealed: bytes | None) -> Found:
        if not hmac.compare_digest(seal, promise.seal):
            return Found("other")
        if not ended:
            running = run != self._alive.run and self._alive.lives(run)
            return Found("running" if running else "unknown")
        result = self._opened(promise, sealed) if sealed is not None else None
        return Found("done", result) if result is not None else Found("not_kept")

    def _make_room(self, db: sqlite3.Connection, now_s: float) -> None:
        """Looks at the few oldest with each promise, so that no single one pays for all."""
        (rows,) = db.execute("SELECT rows FROM held").fetchone()
        too_many = int(rows >= self._most)
        db.execute(
            "DELETE FROM once WHERE id IN (SELECT id FROM once ORDER BY id LIMIT ?) AND (until_s <= ? OR (? AND ended))",
            (_AT_A_TIME, now_s, too_many),
        )

    def _let_results_go(self, db: sqlite3.Connection) -> None:
        while db.execute("SELECT bytes FROM held").fetchone()[0] > self._most_bytes:
            db.execute(
                "UPDATE once SET result = NULL WHERE id = (SELECT id FROM once WHERE result IS NOT NULL ORDER BY id LIMIT 1)"
            )

    def _sealed(self, key: bytes, body: bytes) -> bytes:
        return hmac.digest(self._secret, key + body, "sha256")[:_MAC_BYTES] + body

    def _covered(self, scope: str, body: bytes) -> bytes:
        return self._cover.close(scope, body, {self._cover.name("scope", scope): _SALT})

    def _opened(self, promise: Promise, sealed: bytes) -> FirstResult | None:
        covered = sealed[_MAC_BYTES:]
        if not hmac.compare_digest(self._sealed(promise.key, covered), sealed):
            return None
        body = self._cover.open(self._cover.name("scope", promise.scope), _SALT, covered)
        try:
            return self._decode(body) if body is not None else None
        except msgspec.MsgspecError:  # of another release
            return None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with told(self._path, _MEND):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            finally:
                roll_back(self._db)
        self._commits += 1
        if self._commits % _CHECKPOINT_EVERY == 0:
            self._thread.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        """What was committed goes from the log into the file. If it cannot now, it will later."""
        with suppress(*ERRORS), closing(sqlite3.connect(self._path, timeout=_TIMEOUT_S)) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
