from pathlib import Path

import pytest

from pennyworth.errors import StoreError
from pennyworth.outcome import Kept
from pennyworth.request import Key
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.testing.contract_store import StoreContract
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control


class TestTieredStore(StoreContract):
    shares = True

    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> TieredStore:
        deep = SqliteStore(folder / "cache.db", b"secret", max_entries, max_bytes)
        return TieredStore(MemoryStore(max_entries, max_bytes), deep, slow_s=1.0)

    def break_store(self, folder: Path) -> TieredStore:
        deep = SqliteStore(folder / "no such folder" / "cache.db", b"secret", 10, 10**6)
        return TieredStore(MemoryStore(10, 10**6), deep, slow_s=1.0)


class Moody(MemoryStore):
    """A store with a clock of its own that takes its time, or fails, as it is told."""

    def __init__(self) -> None:
        super().__init__(100, 10**6)
        self.time_s = 0.0
        self.takes_s = 0.0
        self.fails = ""
        self.asked = 0

    def clock(self) -> float:
        return self.time_s

    def _work(self) -> None:
        self.asked += 1
        self.time_s += self.takes_s
        if self.fails:
            raise StoreError(self.fails)

    async def get(self, key: Key, now_s: float) -> Kept | None:
        self._work()
        return await super().get(key, now_s)

    async def put(self, kept: Kept) -> None:
        self._work()
        await super().put(kept)


def tiers() -> tuple[MemoryStore, Moody, TieredStore]:
    near, deep = MemoryStore(100, 10**6), Moody()
    return near, deep, TieredStore(near, deep, slow_s=0.05, clock=deep.clock)


async def test_what_the_deep_store_has_is_asked_for_once():
    _, deep, store = tiers()
    await deep.put(kept("q"))
    for _ in range(3):
        assert await store.get(key_of("q"), NOW_S) == kept("q")
    assert deep.asked == 1 + 1


async def test_an_expired_answer_in_memory_gives_way_to_a_fresh_one_of_another_process():
    near, deep, store = tiers()
    old, new = kept("q", expires_s=NOW_S - 1, stale_s=60.0), kept("q", id="renewed")
    await near.put(old)
    assert await store.get(key_of("q"), NOW_S) == old
    await deep.put(new)
    assert await store.get(key_of("q"), NOW_S) == new
    assert await near.get(key_of("q"), NOW_S) == new


async def test_an_expired_answer_in_memory_may_stand_in_while_the_deep_store_is_broken():
    near, deep, store = tiers()
    old = kept("q", expires_s=NOW_S - 1, stale_s=60.0)
    await near.put(old)
    deep.fails = "gone"
    assert await store.get(key_of("q"), NOW_S) == old
    assert store.trouble == "gone"


async def test_a_slow_answer_is_given_and_then_the_deep_store_is_left_alone_for_a_while():
    _, deep, store = tiers()
    await deep.put(kept("q"))
    deep.takes_s = 0.08
    assert await store.get(key_of("q"), NOW_S) == kept("q")
    assert store.trouble == "slow: a get took 80 ms"
    asked = deep.asked
    with pytest.raises(StoreError, match="slow: a get took 80 ms, skipped"):
        await store.get(key_of("other"), NOW_S)
    assert await store.get(key_of("q"), NOW_S) == kept("q")
    assert deep.asked == asked


async def test_it_is_asked_again_after_a_second_and_after_twice_as_long_each_time_it_fails():
    _, deep, store = tiers()
    deep.fails, tried_at = "gone", []
    for _ in range(400):
        asked = deep.asked
        with pytest.raises(StoreError, match="gone"):
            await store.get(key_of("q"), NOW_S)
        if deep.asked > asked:
            tried_at.append(deep.time_s)
        deep.time_s += 0.5
    assert tried_at == [0, 1, 3, 7, 15, 31, 63, 123, 183]


async def test_one_good_answer_after_trouble_and_it_is_trusted_again():
    _, deep, store = tiers()
    deep.fails = "gone"
    with pytest.raises(StoreError):
        await store.get(key_of("q"), NOW_S)
    deep.fails = ""
    deep.time_s += 1.5
    assert await store.get(key_of("q"), NOW_S) is None
    assert store.trouble == ""
    await deep.put(kept("q"))
    assert await store.get(key_of("q"), NOW_S) == kept("q")


async def test_a_put_that_fails_below_is_kept_in_memory_and_reading_goes_on():
    _, deep, store = tiers()
    await deep.put(kept("deep"))
    deep.fails = "no room"
    for _ in range(2):
        with pytest.raises(StoreError, match="no room"):
            await store.put(kept("q"))
    deep.fails = ""
    assert await store.get(key_of("q"), NOW_S) == kept("q")
    assert await store.get(key_of("deep"), NOW_S) == kept("deep")
    assert store.trouble == "no room"


async def test_a_key_that_both_held_counts_once_when_swept():
    near, deep, store = tiers()
    await store.put(kept("both"))
    await deep.put(kept("deep only"))
    assert await store.sweep(Control(epoch=9, purges={"all:": 9}), NOW_S) == 2
    assert (near.usage().entries, deep.usage().entries) == (0, 0)


async def test_it_is_immediate_only_if_both_are():
    near, deep, store = tiers()
    assert store.immediate
    deep.immediate = False
    assert not TieredStore(near, deep, slow_s=1.0).immediate
