"""The contract of ``Store`` as tests: every sentence of the port, for any backend.

A backend's own test file subclasses it and says how to make one; see ``docs/extend/store.md``.

    class TestMyStore(StoreContract):
        def make_store(self, folder, max_entries=1000, max_bytes=10_000_000):
            return MyStore(max_entries, max_bytes)

The tests run their own event loop: they need pytest and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pennyworth.errors import StoreError
from pennyworth.money import Usage
from pennyworth.outcome import Kept
from pennyworth.ports import Store
from pennyworth.testing.entries import NOW_S, by_hand, eventually, in_a_loop, kept, key_of
from pennyworth.view import Control


class StoreContract:
    """What every ``Store`` does. ``make_store`` is the one method a backend must give."""

    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> Store:
        """An open store within these limits. Called again with the same folder it is a second one on the same data,
        if the backend shares its data at all (``shares``)."""
        raise NotImplementedError

    shares = False
    """Whether two stores made in one folder, by two processes, hold the same entries."""

    def break_store(self, folder: Path) -> Store | None:
        """A store whose backend is broken, or ``None`` if this kind cannot break."""
        return None

    @in_a_loop
    async def test_a_key_that_is_not_there_is_none(self, folder: Path) -> None:
        store = self.make_store(folder)
        assert await store.get(key_of("never put"), NOW_S) is None
        await store.close()

    @in_a_loop
    async def test_what_was_put_is_there_at_once_and_whole(self, folder: Path) -> None:
        store = self.make_store(folder)
        whole = kept(
            "a question",
            3_000,
            stale_s=7.5,
            tags=("faq", "größe 尺寸"),
            masks=("<name>",),
            streamed=True,
            revision="r2",
        )
        whole = msgspec.structs.replace(whole, asks=3)
        odd = kept("odd bytes", raw=bytes(range(256)) * 3, usage=Usage(), scope="", model="模型", created_s=0.1 + 0.2)
        for entry in (whole, odd):
            await store.put(entry)
            assert await store.get(entry.key, NOW_S) == entry
        await store.close()

    @in_a_loop
    async def test_the_last_put_for_a_key_wins(self, folder: Path) -> None:
        store = self.make_store(folder)
        await store.put(kept("q", id="first"))
        await store.put(kept("q", id="second", raw=b"another answer"))
        found = await store.get(key_of("q"), NOW_S)
        assert found is not None
        assert found.answer.raw == b"another answer"
        await eventually(lambda: store.usage().entries == 1)
        await store.close()

    @in_a_loop
    async def test_putting_an_answer_again_gives_it_a_longer_life(self, folder: Path) -> None:
        store = self.make_store(folder)
        await store.put(kept("q", expires_s=NOW_S + 10))
        await store.put(kept("q", expires_s=NOW_S + 100))
        found = await store.get(key_of("q"), NOW_S + 50)
        assert found == kept("q", expires_s=NOW_S + 100)
        await store.close()

    @in_a_loop
    async def test_an_expired_entry_is_returned_within_its_stale_window_and_never_after(self, folder: Path) -> None:
        store = self.make_store(folder)
        entry = kept("q", expires_s=NOW_S + 10, stale_s=5.0)
        await store.put(entry)
        assert await store.get(entry.key, NOW_S + 14.9) == entry
        assert await store.get(entry.key, NOW_S + 15) is None
        assert await store.get(entry.key, NOW_S + 1e6) is None
        await store.close()

    @in_a_loop
    async def test_two_keys_lead_to_one_answer_that_is_kept_once(self, folder: Path) -> None:
        store = self.make_store(folder)
        exact = kept("exact", 50_000, id="shared")
        alias = Kept(key=key_of("alias"), answer=exact.answer, expires_s=NOW_S + 30)
        await store.put(exact)
        await store.put(alias)
        assert await store.get(exact.key, NOW_S) == exact
        assert await store.get(alias.key, NOW_S) == alias
        await eventually(lambda: store.usage().entries == 2)
        assert 50_000 <= store.usage().bytes < 60_000
        await store.close()

    @in_a_loop
    async def test_an_answer_goes_with_the_last_key_that_leads_to_it(self, folder: Path) -> None:
        store = self.make_store(folder)
        exact = kept("exact", 50_000, id="shared")
        await store.put(exact)
        await store.put(Kept(key=key_of("alias"), answer=exact.answer, expires_s=NOW_S + 500))
        await eventually(lambda: store.usage().entries == 2)
        assert await store.sweep(Control(), NOW_S + 100) == 1
        assert await store.get(key_of("alias"), NOW_S + 100) is not None
        await store.put(kept("alias", 10))
        await eventually(lambda: store.usage().bytes < 50_000)
        await store.close()

    @in_a_loop
    async def test_an_id_used_twice_never_gives_one_answer_for_another(self, folder: Path) -> None:
        store = self.make_store(folder)
        first, second = kept("q1", id="same"), kept("q2", 3_000, id="same", scope="team-b")
        for entry in (first, second):
            await store.put(entry)
        await eventually(lambda: store.usage().entries == 2)
        assert await store.get(second.key, NOW_S) == second
        assert await store.get(first.key, NOW_S) in (None, first)
        await store.close()

    @in_a_loop
    async def test_it_never_holds_more_entries_than_it_may(self, folder: Path) -> None:
        store = self.make_store(folder, max_entries=50)
        for number in range(300):
            await store.put(kept(f"q{number}"))
            assert store.usage().entries <= 50
        await eventually(lambda: store.usage().evictions >= 250)
        assert 0 < store.usage().entries <= 50
        assert await store.get(key_of("q299"), NOW_S) is not None
        await store.close()

    @in_a_loop
    async def test_it_never_holds_more_bytes_than_it_may(self, folder: Path) -> None:
        store = self.make_store(folder, max_bytes=200_000)
        for number in range(100):
            await store.put(kept(f"q{number}", 10_000))
            assert store.usage().bytes <= 200_000
        await eventually(lambda: store.usage().evictions >= 80)
        assert 100_000 < store.usage().bytes <= 200_000
        await store.close()

    @in_a_loop
    async def test_an_answer_too_large_to_fit_is_silently_not_kept(self, folder: Path) -> None:
        store = self.make_store(folder, max_bytes=200_000)
        await store.put(kept("small"))
        await store.put(kept("large", 300_000))
        await store.put(kept("another"))
        await eventually(lambda: store.usage().entries == 2)
        assert await store.get(key_of("large"), NOW_S) is None
        assert await store.get(key_of("small"), NOW_S) is not None
        await store.close()

    @in_a_loop
    async def test_usage_tells_the_limits_and_what_is_used(self, folder: Path) -> None:
        store = self.make_store(folder, max_entries=70, max_bytes=123_456)
        empty = store.usage()
        assert (empty.entries, empty.max_entries, empty.max_bytes, empty.evictions) == (0, 70, 123_456, 0)
        await store.put(kept("q", 5_000))
        await eventually(lambda: store.usage().entries == 1)
        assert 5_000 <= store.usage().bytes < 10_000
        await store.close()

    @pytest.mark.parametrize(
        "control",
        [
            Control(epoch=6, purges={"all:": 6}),
            Control(epoch=6, purges={"model:small": 6}),
            Control(epoch=6, purges={"scope:team-b": 6}),
            Control(epoch=6, purges={"tag:faq": 6}),
            Control(epoch=6, purges={"tag:with:colon": 6}),
            Control(epoch=6, purges={f"key:{key_of('target').hex()[:16]}": 6}),
            Control(epoch=6, purges={f"key:{key_of('asked as').hex()[:16]}": 6}),
            Control(epoch=6, purges={"key:not a key": 6}),
            Control(older_than_s=NOW_S - 50),
            Control(epoch=7, purges={"model:large": 6, "tag:faq": 7}),
            Control(epoch=4, purges={"all:": 4}),
            Control(),
        ],
        ids=str,
    )
    def test_a_sweep_removes_what_the_control_row_kills_and_nothing_else(
        self, tmp_path: Path, control: Control
    ) -> None:
        asyncio.run(self._sweep(tmp_path, control))

    async def _sweep(self, folder: Path, control: Control) -> None:
        store = self.make_store(folder)
        entries = [
            kept("plain"),
            kept("tagged", tags=("faq", "b")),
            kept("coloned", tags=("with:colon",)),
            kept("elsewhere", model="large"),
            kept("others", scope="team-b"),
            kept("old", created_s=NOW_S - 100),
            kept("asked later", asked_epoch=6),
            kept("target"),
            kept("alias", key=key_of("asked as").hex()[:16]),
        ]
        for entry in entries:
            await store.put(entry)
        killed = [entry for entry in entries if control.kills(entry.answer, entry.key.hex())]
        assert await store.sweep(control, NOW_S) == len(killed)
        for entry in entries:
            found = await store.get(entry.key, NOW_S)
            assert found == (None if entry in killed else entry)
        await eventually(lambda: store.usage().entries == len(entries) - len(killed))
        await store.close()

    @in_a_loop
    async def test_a_sweep_removes_what_is_past_its_stale_window(self, folder: Path) -> None:
        store = self.make_store(folder)
        await store.put(kept("gone", expires_s=NOW_S - 10, stale_s=5.0))
        await store.put(kept("stale", expires_s=NOW_S - 10, stale_s=60.0))
        await store.put(kept("fresh"))
        assert await store.sweep(Control(), NOW_S) == 1
        await eventually(lambda: store.usage().entries == 2)
        await store.close()

    @in_a_loop
    async def test_a_put_that_raced_a_purge_is_known_for_dead_and_goes_with_the_next_sweep(self, folder: Path) -> None:
        store = self.make_store(folder)
        control = Control(epoch=6, purges={"model:small": 6})
        await store.sweep(control, NOW_S)
        await store.put(kept("asked before, put after", asked_epoch=5))
        found = await store.get(key_of("asked before, put after"), NOW_S)
        assert found is not None
        assert control.kills(found.answer, found.key.hex())
        assert await store.sweep(control, NOW_S) == 1
        assert await store.get(key_of("asked before, put after"), NOW_S) is None
        await store.close()

    @in_a_loop
    async def test_an_immediate_get_never_suspends(self, folder: Path) -> None:
        store = self.make_store(folder)
        if not store.immediate:
            pytest.skip("this store does not claim to be immediate")
        await store.put(kept("q"))
        await eventually(lambda: store.usage().entries == 1)
        assert by_hand(store.get(key_of("q"), NOW_S)) == kept("q")
        assert by_hand(store.get(key_of("not there"), NOW_S)) is None
        await store.close()

    @in_a_loop
    async def test_an_immediate_store_may_be_asked_from_any_thread(self, folder: Path) -> None:
        store = self.make_store(folder, max_entries=200)
        if not store.immediate:
            pytest.skip("this store does not claim to be immediate")

        def ask(part: int) -> None:
            for number in range(100 * part, 100 * part + 100):
                assert by_hand(store.get(key_of(f"q{number}"), NOW_S)) in (None, kept(f"q{number}"))

        with ThreadPoolExecutor(4) as threads:
            asking = [threads.submit(ask, part) for part in range(4)]
            for number in range(400):
                await store.put(kept(f"q{number}"))
            for task in asking:
                task.result()
        await store.close()

    @in_a_loop
    async def test_another_store_on_the_same_data_sees_a_put_and_a_sweep_within_a_second(self, folder: Path) -> None:
        if not self.shares:
            pytest.skip("this store shares nothing")
        here, there = self.make_store(folder), self.make_store(folder)
        await here.put(kept("q"))
        assert await _seen(there, "q", NOW_S, within_s=1.0)
        await there.sweep(Control(epoch=6, purges={"all:": 6}), NOW_S)
        await eventually(lambda: here.usage().entries == 0, within_s=1.0)
        await here.close()
        await there.close()

    @in_a_loop
    async def test_a_broken_backend_raises_a_store_error_and_promptly(self, folder: Path) -> None:
        store = self.break_store(folder)
        if store is None:
            pytest.skip("this store cannot break")
        started = time.monotonic()
        with pytest.raises(StoreError) as told:
            await store.get(key_of("q"), NOW_S)
        assert time.monotonic() - started < 1.0
        assert f"{told.value}"
        await store.close()


async def _seen(store: Store, name: str, now_s: float, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while await store.get(key_of(name), now_s) is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
