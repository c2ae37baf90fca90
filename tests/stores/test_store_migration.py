"""A file that an earlier Pennyworth wrote opens with its answers in it, and is one like any other from then on."""

import hmac
import sqlite3
from pathlib import Path

import msgspec
import pytest

from pennyworth.outcome import Kept
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control

SCHEMA_1 = """
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

PRAGMA application_id = 1347900244;
PRAGMA user_version = 1;
"""
"""As Pennyworth of November 2026 created it."""

SHARED = kept("exact", 3_000, id="shared", tags=("faq", "größe 尺寸"))
ALIAS = Kept(key=key_of("alias"), answer=SHARED.answer, expires_s=NOW_S + 500)
PLAIN = kept("plain", model="large", expires_s=NOW_S + 900)
ENTRIES = [SHARED, ALIAS, PLAIN]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of schema 1 with three keys and two answers in it; that of ``PLAIN`` has been asked again."""
    db = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA_1)
    for entry in ENTRIES:
        put_1(db, entry)
    db.execute("UPDATE keys SET n = 7, proven = 1 WHERE key = ?", (PLAIN.key,))
    db.close()
    return tmp_path / "cache.db"


def put_1(db: sqlite3.Connection, entry: Kept) -> None:
    """As the writer of schema 1 did it."""
    answer = entry.answer
    body = msgspec.msgpack.encode(answer)
    head = msgspec.msgpack.encode(("exact", entry.expires_s, entry.stale_s, entry.asks))
    secret = hmac.digest(b"secret", b"pennyworth store/1", "sha256")
    db.execute(
        "INSERT OR IGNORE INTO answers (id, scope, model, asked_key, created_s, asked_epoch, size, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (answer.id, answer.scope, answer.model, answer.key, answer.created_s, answer.asked_epoch, len(body), body),
    )
    db.execute(
        "INSERT INTO keys (key, answer, dead_s, head, mac) SELECT ?, n, ?, ?, ? FROM answers WHERE id = ?",
        (
            entry.key,
            entry.expires_s + entry.stale_s,
            head,
            hmac.digest(secret, entry.key + head + body, "sha256"),
            answer.id,
        ),
    )
    for tag in answer.tags:
        db.execute("INSERT OR IGNORE INTO tags (tag, answer) SELECT ?, n FROM answers WHERE id = ?", (tag, answer.id))


async def test_every_answer_of_an_older_file_is_still_there(path):
    store = SqliteStore(path, b"secret", 100, 10**7)
    for entry in ENTRIES:
        assert await store.get(entry.key, NOW_S) == entry
    assert (store.usage().entries, store.damaged, store.trouble) == (3, 0, "")
    await store.close()
    again = SqliteStore(path, b"secret", 100, 10**7)
    assert await again.get(ALIAS.key, NOW_S) == ALIAS
    await again.close()


@pytest.mark.parametrize(
    ("purge", "gone"),
    [("tag:faq", [SHARED, ALIAS]), ("tag:größe 尺寸", [SHARED, ALIAS]), ("model:large", [PLAIN]), ("all:", ENTRIES)],
)
async def test_an_older_files_answers_can_be_purged(path, purge, gone):
    store = SqliteStore(path, b"secret", 100, 10**7)
    assert await store.sweep(Control(epoch=6, purges={purge: 6}), NOW_S) == len(gone)
    for entry in ENTRIES:
        assert await store.get(entry.key, NOW_S) == (None if entry in gone else entry)
    assert store.usage().entries == 3 - len(gone)
    await store.close()


async def test_an_older_files_answers_expire_are_put_again_and_go_with_their_last_key(path):
    store = SqliteStore(path, b"secret", 100, 10**7)
    assert await store.sweep(Control(), NOW_S + 100) == 1
    assert await store.get(ALIAS.key, NOW_S + 100) == ALIAS
    later = msgspec.structs.replace(PLAIN, expires_s=NOW_S + 5_000)
    await store.put(later)
    assert await store.sweep(Control(), NOW_S + 1_000) == 1
    assert await store.get(PLAIN.key, NOW_S + 1_000) == later
    assert await store.sweep(Control(), NOW_S + 10_000) == 1
    assert (store.usage().entries, store.usage().bytes) == (0, 0)
    await store.close()


async def test_an_older_files_queues_are_kept(path):
    """What had been asked again before is evicted after what had not."""
    store = SqliteStore(path, b"secret", 2, 10**7)
    await store.put(kept("new"))
    await store.sweep(Control(), NOW_S)
    assert await store.get(PLAIN.key, NOW_S) == PLAIN
    assert await store.get(SHARED.key, NOW_S) is None
    await store.close()


async def test_the_tables_of_the_older_file_are_gone(path):
    await SqliteStore(path, b"secret", 100, 10**7).close()
    db = sqlite3.connect(path)
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    assert names == {"answers", "keys", "keys_dead", "keys_key", "salts", "totals"}
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
