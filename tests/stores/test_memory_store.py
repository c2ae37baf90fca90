import gc
import tracemalloc
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.outcome import Kept
from pennyworth.request import Key
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.s3fifo import S3Fifo
from pennyworth.testing.contract_store import StoreContract
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control


class TestMemoryStore(StoreContract):
    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> MemoryStore:
        return MemoryStore(max_entries, max_bytes)


async def test_questions_that_come_once_do_not_push_out_those_that_are_asked_again():
    store = MemoryStore(100, 10**7)
    for number in range(20):
        await store.put(kept(f"popular{number}"))
        await store.get(key_of(f"popular{number}"), NOW_S)
    for number in range(1_000):
        await store.put(kept(f"once{number}"))
    assert [number for number in range(20) if await store.get(key_of(f"popular{number}"), NOW_S) is None] == []


async def test_the_bytes_it_counts_are_at_least_the_bytes_it_takes():
    encoded = [msgspec.msgpack.encode(kept(f"q{number}", 500)) for number in range(2_000)]
    gc.collect()
    tracemalloc.start()
    store = MemoryStore(10_000, 10**8)
    for row in encoded:
        await store.put(msgspec.msgpack.decode(row, type=Kept))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 * store.usage().bytes < taken < store.usage().bytes


async def test_purges_and_refills_for_ever_leave_nothing_behind():
    store = MemoryStore(10_000, 10**8)
    for epoch in range(1, 60):
        for number in range(50):
            await store.put(kept(f"q{number}", asked_epoch=epoch - 1))
        assert await store.sweep(Control(epoch=epoch, purges={"all:": epoch}), NOW_S) == 50
    assert (store.usage().entries, store.usage().bytes) == (0, 0)
    queue: S3Fifo[Key, Kept] = store._kept
    assert len(queue._small) + len(queue._main) <= 1


async def test_an_id_used_twice_leaves_the_sums_right():
    store = MemoryStore(10, 10**6)
    for name, size in (("q1", 100), ("q2", 3_000), ("q3", 500)):
        await store.put(kept(name, size, id="same"))
    assert await store.sweep(Control(), NOW_S + 1e6) == 3
    assert store.usage().bytes == 0


@given(st.lists(st.tuples(st.sampled_from(["get", "put", "remove", "evict"]), st.integers(0, 9)), max_size=200))
def test_a_queue_holds_what_was_put_and_neither_removed_nor_evicted(steps):
    queue: S3Fifo[int, tuple[int, int]] = S3Fifo()
    there: dict[int, tuple[int, int]] = {}
    for time, (step, key) in enumerate(steps):
        match step:
            case "put":
                assert queue.put(key, (key, time)) == there.get(key)
                there[key] = (key, time)
            case "get":
                assert queue.get(key) == there.get(key)
            case "remove" if key in there:
                queue.remove(key)
                del there[key]
            case "evict" if there:
                evicted = queue.evict()
                assert there.pop(evicted[0]) == evicted
        assert len(queue) == len(there)
        assert sorted(queue.keys()) == sorted(there)
