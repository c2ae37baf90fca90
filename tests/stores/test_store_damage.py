"""What is wrong with the file costs answers, never truth: every answer found is the one that was put."""

import asyncio
import random
import sqlite3
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pennyworth.errors import ConfigError, StoreError
from pennyworth.outcome import Kept
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.entries import NOW_S, eventually, kept, key_of
from pennyworth.view import Control

ENTRIES = [kept(f"q{number}", 100 + 150 * number, tags=("faq",)) for number in range(30)]


def open_store(path: Path, told: list[str] | None = None, secret: bytes = b"secret") -> SqliteStore:
    return SqliteStore(path, secret, 1_000, 10**7, on_trouble=([] if told is None else told).append)


async def filled(path: Path, entries: list[Kept] = ENTRIES) -> Path:
    store = open_store(path)
    for entry in entries:
        await store.put(entry)
    await store.close()
    return path


async def right_answers(store: SqliteStore, entries: list[Kept] = ENTRIES) -> int:
    """How many are found. One that is found must be right."""
    found = 0
    for entry in entries:
        try:
            answer = await store.get(entry.key, NOW_S)
        except StoreError:
            continue
        assert answer is None or answer == entry
        found += answer is not None
    return found


async def well_again(store: SqliteStore) -> None:
    await eventually(lambda: not store.trouble, within_s=5.0)


async def tried(asking: Coroutine[Any, Any, Any]) -> Any:
    with suppress(StoreError):
        return await asking


async def test_a_thousand_random_bits_flip_three_at_a_time_and_no_answer_is_ever_wrong(tmp_path):
    sound = (await filled(tmp_path / "sound.db")).read_bytes()
    chance = random.Random(7)
    whole, damaged = 0, 0
    for _ in range(334):
        flipped = bytearray(sound)
        for _ in range(3):
            flipped[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
        path = tmp_path / "cache.db"
        path.write_bytes(flipped)
        try:
            store = open_store(path)
        except ConfigError:  # the bits that say which program or version wrote it
            continue
        whole += await right_answers(store) == len(ENTRIES)
        damaged += store.damaged
        await store.close()
        for left in tmp_path.glob("cache.db*"):
            left.unlink()
    assert 0 < whole < 334
    assert damaged > 100


async def test_a_damaged_file_may_be_written_and_swept_and_ends_up_sound(tmp_path):
    sound = (await filled(tmp_path / "sound.db")).read_bytes()
    chance, told = random.Random(8), []
    for round_ in range(40):
        flipped = bytearray(sound)
        for _ in range(20):
            flipped[chance.randrange(200, len(sound))] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{round_}.db"
        path.write_bytes(flipped)
        store = open_store(path, told)
        await right_answers(store)
        await well_again(store)
        await store.put(kept("new", 5_000))
        await store.close()
        again = open_store(path, told)
        assert await right_answers(again, [kept("new", 5_000)]) in (0, 1)
        await again.close()
    assert told
    assert not [words for words in told if "unexpected" in words]


def text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1000])


def cut_between_pages(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 8 * 4096])


@pytest.mark.parametrize("spoil", [text, zeroed, emptied, cut_in_a_page, cut_between_pages])
async def test_a_file_spoilt_before_the_start_is_replaced_and_kept_for_inspection(tmp_path, spoil):
    path, told = await filled(tmp_path / "cache.db"), []
    spoil(path)
    spoilt = path.read_bytes()
    store = open_store(path, told)
    await right_answers(store)
    await eventually(lambda: not store.trouble and store.usage().entries in (0, len(ENTRIES)), within_s=5.0)
    await store.put(kept("new"))
    assert await store.sweep(Control(), NOW_S) == 0
    await store.close()
    aside = list(tmp_path.glob("cache.db.corrupt-*"))
    assert [found.read_bytes() for found in aside if found.stat().st_size] in ([], [spoilt])
    assert bool(aside) == bool(told) == (spoil is not emptied)
    assert [words for words in told if aside[0].name in words] or not aside
    again = open_store(path)
    assert await right_answers(again, [kept("new")]) == 1
    await again.close()


@pytest.mark.parametrize("spoil", [text, zeroed, cut_in_a_page])
async def test_a_file_spoilt_under_running_stores_is_replaced_by_one_and_followed_by_the_other(tmp_path, spoil):
    path, told = await filled(tmp_path / "cache.db"), []
    here, there = open_store(path, told), open_store(path, told)
    spoil(path)
    for store in (here, there):
        await right_answers(store)
        await store.put(kept("meanwhile"))
    await eventually(lambda: told, within_s=5.0)
    for name in range(200):
        await tried(here.put(kept(f"new{name}")))
        await asyncio.sleep(0.02)
        if await tried(there.get(key_of("new0"), NOW_S)):
            break
    assert await there.get(key_of("new0"), NOW_S) == kept("new0")
    assert len(list(tmp_path.glob("cache.db.corrupt-*"))) in (1, 2)
    await here.close()
    await there.close()


async def test_a_file_removed_under_a_running_store_is_begun_anew(tmp_path):
    path = await filled(tmp_path / "cache.db")
    store = open_store(path)
    for left in tmp_path.glob("cache.db*"):
        left.unlink()
    await store.put(kept("new"))
    assert await store.sweep(Control(), NOW_S) == 0
    assert store.usage().entries == 1
    await store.close()


async def test_only_the_newest_damaged_file_is_kept(tmp_path):
    (tmp_path / "cache.db.corrupt-20200101T000000").write_text("an older one")
    text(tmp_path / "cache.db")
    await open_store(tmp_path / "cache.db").close()
    assert len(list(tmp_path.glob("cache.db.corrupt-*"))) == 1


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE keys SET answer = 1 WHERE n = 2",
        "UPDATE keys SET (answer, head, mac) = (SELECT answer, head, mac FROM keys WHERE n = 1) WHERE n = 2",
        "UPDATE answers SET body = (SELECT body FROM answers WHERE n = 1) WHERE n = 2",
        "UPDATE answers SET body = substr(body, 1, length(body) - 1) WHERE n = 2",
        "UPDATE answers SET body = 'text' WHERE n = 2",
        "UPDATE answers SET body = 7 WHERE n = 2",
        "UPDATE keys SET scope = 'team-b' WHERE n = 2",
        "UPDATE keys SET mac = x'' WHERE n = 2",
        "UPDATE keys SET mac = 'größe', head = 1.5 WHERE n = 2",
        "UPDATE keys SET head = (SELECT head FROM keys WHERE n = 3) WHERE n = 2",
        "UPDATE keys SET key = (SELECT key FROM keys WHERE n = 2) || x'00' WHERE n = 2",
        "DELETE FROM answers WHERE n = 2",
    ],
)
async def test_a_row_that_somebody_else_wrote_or_moved_is_not_there(tmp_path, forgery):
    entries = [kept("q1"), kept("q2"), kept("q3", expires_s=NOW_S + 3600)]
    path = await filled(tmp_path / "cache.db", entries)
    db = sqlite3.connect(path)
    db.execute(forgery)
    db.commit()
    db.close()
    store = open_store(path)
    assert await store.get(key_of("q2"), NOW_S) is None
    assert await store.get(key_of("q3"), NOW_S) == entries[2]
    await store.put(entries[1])
    await store.sweep(Control(), NOW_S)
    await store.close()
    again = open_store(path)
    assert await again.get(key_of("q2"), NOW_S) == entries[1]
    await again.close()


async def test_rows_written_under_another_secret_are_not_there(tmp_path):
    path = await filled(tmp_path / "cache.db")
    store = open_store(path, secret=b"another secret")
    assert await right_answers(store) == 0
    assert store.damaged == len(ENTRIES)
    await store.close()


def test_a_newer_schema_is_refused_with_the_reason_and_the_fix(tmp_path):
    path = tmp_path / "cache.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 1347900244")
        db.execute("PRAGMA user_version = 7")
        db.execute("CREATE TABLE answers (n)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="schema 7 of the cache, this Pennyworth knows up to 3") as told:
        open_store(path)
    assert "move the file away" in told.value.fix
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "cache.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (n)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another program"):
        open_store(path)
    assert path.read_bytes() == before


async def test_a_file_held_by_another_process_is_a_store_error_and_then_it_recovers(tmp_path):
    path, told = await filled(tmp_path / "cache.db"), []
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("UPDATE totals SET evictions = 0")
    holder.execute("COMMIT")
    store = open_store(path, told)
    with pytest.raises(StoreError, match="locked by another process"):
        await store.get(ENTRIES[0].key, NOW_S)
    with pytest.raises(StoreError, match="locked by another process"):
        await store.put(kept("new"))
    holder.close()
    await well_again(store)
    assert await right_answers(store) == len(ENTRIES)
    assert told == ["cache.db: locked by another process"]
    await store.close()


async def test_while_another_process_writes_for_long_answers_are_read_and_puts_wait_or_are_dropped(tmp_path):
    path = await filled(tmp_path / "cache.db")
    holder = sqlite3.connect(path, isolation_level=None)
    store = SqliteStore(path, b"secret", 1_000, 10**7, backlog_bytes=10_000)
    holder.execute("BEGIN IMMEDIATE")
    for number in range(10):
        await store.put(kept(f"new{number}", 1_000))
    assert store.dropped == 6
    assert await right_answers(store) == len(ENTRIES)
    assert await store.get(key_of("new0"), NOW_S) == kept("new0", 1_000)
    holder.execute("COMMIT")
    await store.sweep(Control(), NOW_S)
    assert store.usage().entries == len(ENTRIES) + 4
    holder.close()
    await store.close()


async def test_a_put_that_no_row_can_hold_is_dropped_and_does_not_stop_the_others(tmp_path):
    store = open_store(tmp_path / "cache.db")
    await store.put(kept("lone surrogate", model="\ud800"))
    await store.put(kept("no time", created_s=float("nan")))
    await store.put(kept("sound"))
    await store.sweep(Control(), NOW_S)
    assert (store.usage().entries, store.lost, store.trouble) == (1, 2, "")
    await store.close()


async def test_after_closing_everything_is_a_store_error_and_nothing_hangs(tmp_path):
    store = open_store(await filled(tmp_path / "cache.db"))
    await store.close()
    await store.close()
    with pytest.raises(StoreError):
        await store.get(ENTRIES[0].key, NOW_S)
    with pytest.raises(StoreError):
        await store.sweep(Control(), NOW_S)


async def test_what_it_writes_only_its_owner_may_read(tmp_path):
    path = await filled(tmp_path / "cache.db")
    assert path.stat().st_mode & 0o077 == 0
