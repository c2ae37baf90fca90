"""Whom the file evicts: what it decides in SQL, many at a time, is what two queues decide one by one."""

import random

import pytest

from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control


class TwoQueues:
    """The policy in words of Python: newcomers and proven, each in order; who was read goes to the back of the proven."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.newcomers: list[str] = []
        self.proven: list[str] = []
        self.read: set[str] = set()

    def put(self, name: str) -> None:
        if name in self:
            self.read.add(name)
        else:
            self.newcomers.append(name)

    def __contains__(self, name: str) -> bool:
        return name in self.newcomers or name in self.proven

    def evict(self) -> None:
        while len(self.newcomers) + len(self.proven) > self.most:
            few = len(self.newcomers) <= 0.1 * (len(self.newcomers) + len(self.proven))
            name = (self.proven if self.proven and few else self.newcomers).pop(0)
            if name in self.read:
                self.proven.append(name)
            self.read.discard(name)


@pytest.mark.parametrize("seed", range(4))
async def test_batches_of_puts_and_reads_leave_what_two_queues_would_leave(tmp_path, seed):
    chance = random.Random(seed)
    names = [f"q{number}" for number in range(300)]
    popular = [1 / (1 + number) ** 0.7 for number in range(300)]
    store = SqliteStore(tmp_path / "cache.db", b"secret", 60, 10**7)
    policy = TwoQueues(60)
    for _ in range(40):
        for name in chance.choices(names, popular, k=chance.randrange(60)):
            if await store.get(key_of(name), NOW_S) is not None:
                policy.read.add(name)
        for name in set(chance.choices(names, popular, k=chance.randrange(90))):
            await store.put(kept(name))
            policy.put(name)
        await store.sweep(Control(), NOW_S)
        policy.evict()
        there = [name for name in names if await found(store, name)]
        assert there == [name for name in names if name in policy]
    assert store.usage().entries == len(there)
    await store.close()


async def found(store: SqliteStore, name: str) -> bool:
    """Looks without counting as a read."""
    return store._database.read("SELECT 1 FROM keys WHERE key = ?", (key_of(name),)) is not None


async def test_answers_of_any_size_and_number_of_keys_leave_the_sums_right(tmp_path):
    chance = random.Random(5)
    store = SqliteStore(tmp_path / "cache.db", b"secret", 200, 250_000)
    for _ in range(30):
        for _ in range(chance.randrange(60)):
            answer = chance.randrange(80)
            name = f"{answer} asked as {chance.randrange(3)}"
            await store.put(kept(name, 100 + 97 * answer, id=f"a{answer}", expires_s=NOW_S + chance.randrange(1, 100)))
        await store.sweep(Control(), NOW_S + chance.randrange(20))
        counted = store._database.read("SELECT entries, newcomers, bytes FROM totals", ())
        there = store._database.read(
            "SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM keys WHERE n < 1 << 61),"
            " (SELECT coalesce(sum(size), 0) FROM answers)",
            (),
        )
        assert counted == there
        led_to = "SELECT count(*) FROM answers AS a WHERE keys <> (SELECT count(*) FROM keys WHERE answer = a.n)"
        assert store._database.read(led_to, ()) == (0,)
        assert store.usage().bytes <= 250_000
    assert store.usage().evictions > 30
    await store.close()


async def test_a_purge_of_many_keys_is_swept_in_slices_while_puts_go_on(tmp_path):
    store = SqliteStore(tmp_path / "cache.db", b"secret", 20_000, 10**8)
    for number in range(7_000):
        await store.put(kept(f"q{number}", model="large" if number % 3 else "small"))
    control = Control(epoch=6, purges={"model:large": 6})
    sweeping = store._writer.sweep(control, NOW_S)
    for number in range(100):
        await store.put(kept(f"meanwhile{number}", asked_epoch=6, model="large"))
    assert sweeping.result(timeout=60) == 7_000 - 2_334
    assert await store.sweep(control, NOW_S) == 0
    assert store.usage().entries == 2_334 + 100
    await store.put(kept("raced", model="large", asked_epoch=5))
    assert await store.sweep(control, NOW_S) == 1
    assert await store.sweep(Control(), NOW_S + 1e6) == 2_434
    assert (store.usage().entries, store.usage().bytes) == (0, 0)
    await store.close()
