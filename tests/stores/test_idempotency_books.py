import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.errors import ConfigError, StoreError
from pennyworth.ports import Found
from pennyworth.stores.aes import AesCover
from pennyworth.stores.alive import Alive
from pennyworth.stores.cover import Marks
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.idempotency_sqlite import SqliteIdempotency
from pennyworth.testing.contract_idempotency import NOW, RESULT, IdempotencyContract, promise


class TestMemoryIdempotency(IdempotencyContract):
    shares = False

    def make_book(self, folder: Path, **limits: int) -> MemoryIdempotency:
        return MemoryIdempotency(**limits)


class TestSqliteIdempotency(IdempotencyContract):
    def make_book(self, folder: Path, **limits: int) -> SqliteIdempotency:
        return SqliteIdempotency(folder / "idempotency.db", b"secret", **limits)

    def break_book(self, folder: Path) -> SqliteIdempotency:
        book = self.make_book(folder)
        tamper(folder, "DROP TABLE once")
        return book

    def spoil_results(self, folder: Path) -> bool:
        tamper(folder, "UPDATE once SET result = CAST(substr(result, 1, 30) || x'21' || substr(result, 32) AS BLOB)")
        return True


class TestEncryptedIdempotency(TestSqliteIdempotency):
    def make_book(self, folder: Path, **limits: int) -> SqliteIdempotency:
        cover = AesCover(b"another secret", Marks(b"marks"))
        return SqliteIdempotency(folder / "idempotency.db", b"secret", cover=cover, **limits)


def test_results_from_before_encryption_was_switched_on_are_given_still_and_none_is_given_without_its_key(
    tmp_path: Path,
) -> None:
    plain, covered = TestSqliteIdempotency(), TestEncryptedIdempotency()
    for make, key, then in ((plain, b"1" * 32, "done"), (covered, b"2" * 32, "not_kept")):
        book = make.make_book(tmp_path)
        book.begin(promise(key), NOW)
        book.finish(key, RESULT)
        book.close()
        other = (covered if make is plain else plain).make_book(tmp_path)
        assert other.begin(promise(key), NOW).state == then
        other.close()


def tamper(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "idempotency.db") as db:
        db.execute(sql)
    db.close()


CHILD = """
import pathlib, sys, time
from pennyworth.stores.idempotency_sqlite import SqliteIdempotency
from pennyworth.testing.contract_idempotency import NOW, promise
book = SqliteIdempotency(pathlib.Path(sys.argv[1]) / "idempotency.db", b"secret")
print(book.begin(promise(), NOW).state, flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_had_begun_is_there_and_unknown_at_once(tmp_path: Path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    book = SqliteIdempotency(tmp_path / "idempotency.db", b"secret")
    assert book.begin(promise(), NOW) == Found("running")
    os.kill(child.pid, signal.SIGSTOP)
    assert book.begin(promise(), NOW) == Found("running"), "one that hangs may still finish"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert book.begin(promise(), NOW) == Found("unknown")
    book.close()


def test_the_signs_of_the_dead_are_cleared_away_and_those_of_the_living_stay(tmp_path: Path):
    living = Alive(tmp_path / "alive")
    for _ in range(5):
        dead = Alive(tmp_path / "alive")
        os.close(dead._fd)
        assert not living.lives(dead.run)
    last = Alive(tmp_path / "alive")
    assert sorted(os.listdir(tmp_path / "alive")) == sorted([living.run, last.run])
    assert living.lives(last.run)
    assert last.lives(living.run)
    last.close()
    assert not living.lives(last.run)
    living.close()


def test_a_file_that_is_no_database_is_reported_and_left_where_it_is(tmp_path: Path):
    path = tmp_path / "idempotency.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="move the file away"):
        SqliteIdempotency(path, b"secret")
    assert path.read_bytes().startswith(b"no database")


def test_a_newer_file_is_refused(tmp_path: Path):
    SqliteIdempotency(tmp_path / "idempotency.db", b"secret").close()
    tamper(tmp_path, "PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match="schema 9 of the requests made once"):
        SqliteIdempotency(tmp_path / "idempotency.db", b"secret")


def test_only_the_owner_may_read_what_callers_got(tmp_path: Path):
    book = SqliteIdempotency(tmp_path / "idempotency.db", b"secret")
    book.begin(promise(), NOW)
    book.finish(promise().key, RESULT)
    assert (tmp_path / "idempotency.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "idempotency.alive").stat().st_mode & 0o077 == 0
    book.close()


def test_a_secret_that_was_exchanged_gives_no_old_result_and_pays_nothing_again(tmp_path: Path):
    book = SqliteIdempotency(tmp_path / "idempotency.db", b"secret")
    book.begin(promise(), NOW)
    book.finish(promise().key, RESULT)
    book.close()
    book = SqliteIdempotency(tmp_path / "idempotency.db", b"another")
    assert book.begin(promise(), NOW) == Found("not_kept")
    book.close()
