import asyncio
import sqlite3
from pathlib import Path

import pytest

from pennyworth.outcome import Kept
from pennyworth.stores.backlog import Backlog
from pennyworth.stores.database import Database
from pennyworth.stores.null import NullStore
from pennyworth.stores.schema import SCHEMA
from pennyworth.stores.seal import Seal
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.stores.writer import Writer
from pennyworth.testing.contract_store import StoreContract
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control


class TestSqliteStore(StoreContract):
    shares = True

    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> SqliteStore:
        return SqliteStore(folder / "cache.db", b"secret", max_entries, max_bytes)

    def break_store(self, folder: Path) -> SqliteStore:
        return self.make_store(folder / "no such folder")


async def test_what_was_put_before_closing_is_there_after_opening(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**6)
    for number in range(50):
        await store.put(kept(f"q{number}", tags=("faq",)))
    await store.close()
    again = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**6)
    for number in range(50):
        assert await again.get(key_of(f"q{number}"), NOW_S) == kept(f"q{number}", tags=("faq",))
    await again.close()


async def test_long_answers_that_wait_together_are_all_written_before_closing(tmp_path):
    """More than one transaction may hold, and in fewer rows."""
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**8)
    for number in range(12):
        await store.put(kept(f"q{number}", raw=bytes([65 + number]) * 2**20))
    await store.close()
    again = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**8)
    lost = [number for number in range(12) if await again.get(key_of(f"q{number}"), NOW_S) is None]
    await again.close()
    assert lost == []


async def test_questions_that_are_asked_again_outlast_those_that_come_once(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**7)
    for number in range(60):
        await store.put(kept(f"q{number}"))
    await store.sweep(Control(), NOW_S)
    for number in range(20):
        await store.get(key_of(f"q{number}"), NOW_S)
    for number in range(500):
        await store.put(kept(f"once{number}"))
    await store.sweep(Control(), NOW_S)
    assert [number for number in range(20) if await store.get(key_of(f"q{number}"), NOW_S) is None] == []
    assert await store.get(key_of("q40"), NOW_S) is None
    assert store.usage().entries == 100
    await store.close()


async def test_a_question_read_while_puts_are_being_written_outlasts_the_puts_made_after(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**7)
    for number in range(60):
        await store.put(kept(f"q{number}"))
    await store.sweep(Control(), NOW_S)
    holder = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    await store.put(kept("the writer waits for the lock with this one in its hand"))
    await asyncio.sleep(0.6)
    for number in range(20):
        await store.get(key_of(f"q{number}"), NOW_S)
    for number in range(500):
        await store.put(kept(f"once{number}"))
    holder.execute("COMMIT")
    holder.close()
    await store.sweep(Control(), NOW_S)
    assert [number for number in range(20) if await store.get(key_of(f"q{number}"), NOW_S) is None] == []
    await store.close()


async def test_a_question_read_before_it_was_written_or_while_there_was_room_outlasts_those_that_come_once(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**7)
    for number in range(10):
        await store.put(kept(f"q{number}"))
    for number in range(5):
        await store.get(key_of(f"q{number}"), NOW_S)
    await store.sweep(Control(), NOW_S)
    for number in range(5, 10):
        await store.get(key_of(f"q{number}"), NOW_S)
    for number in range(500):
        await store.put(kept(f"once{number}"))
    await store.sweep(Control(), NOW_S)
    assert [number for number in range(10) if await store.get(key_of(f"q{number}"), NOW_S) is None] == []
    await store.close()


async def test_a_store_far_from_its_limits_is_not_written_by_reading(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 1_000, 10**7)
    await store.put(kept("q"))
    await store.sweep(Control(), NOW_S)
    other = sqlite3.connect(tmp_path / "cache.db")
    before = other.execute("PRAGMA data_version").fetchone()
    for _ in range(50):
        await store.get(key_of("q"), NOW_S)
    await store.sweep(Control(), NOW_S)
    assert other.execute("PRAGMA data_version").fetchone() == before
    other.close()
    await store.close()


class Refilled(Backlog):
    """A busy server's: whenever something has been written, something more has come."""

    written = 0

    def done(self, batch: list[Kept]) -> None:
        super().done(batch)
        self.written += len(batch)
        if self.written < 50:
            self.add(kept(f"q{self.written}"))


def test_puts_that_come_while_others_are_written_wait_for_the_next_turn(tmp_path):
    database = Database(tmp_path / "cache.db", SCHEMA, pytest.fail, read_s=0.03, write_s=1.0)
    backlog = Refilled(10**6)
    backlog.add(kept("q0"))
    writer = Writer(database, Seal(b"secret"), backlog, max_entries=100, max_bytes=10**6)
    writer.open()
    writer.end()
    writer.run()
    assert (backlog.written, len(backlog)) == (1, 1)


async def test_lower_limits_at_the_next_start_are_kept_to(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 100, 10**7)
    for number in range(80):
        await store.put(kept(f"q{number}", 1_000))
    await store.close()
    smaller = SqliteStore(tmp_path / "cache.db", b"secret", 100, 50_000)
    await smaller.put(kept("new"))
    await smaller.sweep(Control(), NOW_S)
    assert smaller.usage().bytes <= 50_000
    await smaller.close()


async def test_the_bytes_it_counts_are_about_those_of_the_file(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 10_000, 10**8)
    for number in range(3_000):
        await store.put(kept(f"q{number}", 1_000))
    await store.sweep(Control(), NOW_S)
    counted = store.usage().bytes
    await store.close()
    assert 0.8 < counted / (tmp_path / "cache.db").stat().st_size < 1.3


async def test_a_store_that_is_off_finds_and_keeps_nothing():
    store = NullStore()
    await store.put(kept("q"))
    assert await store.get(key_of("q"), NOW_S) is None
    assert await store.sweep(Control(), NOW_S) == 0
    assert store.usage().entries == 0
    await store.close()


def test_a_backlog_says_that_it_is_crowded_well_before_it_refuses():
    backlog = Backlog(100_000)
    for number in range(20):
        assert backlog.crowded == (number > 5), number
        assert backlog.add(kept(f"q{number}", 3_000))
    while backlog.add(kept(f"q{len(backlog)}", 3_000)):
        assert backlog.crowded
    backlog.done(backlog.batch(100))
    assert not backlog.crowded
