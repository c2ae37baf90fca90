"""Any sequence of puts, gets, purges, waiting and restarts: each store answers as a dictionary would."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pennyworth.outcome import Kept
from pennyworth.ports import Store
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.testing.entries import NOW_S, by_hand, kept, key_of
from pennyworth.view import Control

NAMES = [f"q{number}" for number in range(4)]
PURGES = ["all:", "model:small", "model:large", "scope:team-a", "tag:faq", f"key:{key_of('q1').hex()[:16]}"]


class Dictionary(RuleBasedStateMachine):
    """The store beside a dictionary."""

    def open_store(self, folder: Path) -> Store:
        return MemoryStore(100, 10**6)

    lasts = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.open_store(self.folder)
        self.now_s = NOW_S
        self.control = Control()
        self.there: dict[str, Kept] = {}

    @rule(
        name=st.sampled_from(NAMES),
        answer=st.sampled_from(["a", "b", "c"]),
        model=st.sampled_from(["small", "large"]),
        life_s=st.integers(1, 20),
        stale_s=st.integers(0, 10),
        late=st.booleans(),
    )
    def put(self, name: str, answer: str, model: str, life_s: int, stale_s: int, late: bool) -> None:
        epoch = max(0, self.control.epoch - late)
        entry = kept(
            name,
            id=f"{answer} {model} {epoch}",
            raw=answer.encode() * 50,
            model=model,
            tags=("faq",) if answer == "a" else (),
            asked_epoch=epoch,
            created_s=NOW_S,
            expires_s=self.now_s + life_s,
            stale_s=float(stale_s),
        )
        self.loop.run_until_complete(self.store.put(entry))
        self.there[name] = entry

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule(purge=st.sampled_from(PURGES))
    def purge(self, purge: str) -> None:
        epoch = self.control.epoch + 1
        purges = {**self.control.purges, purge: epoch}
        self.control = msgspec.structs.replace(self.control, epoch=epoch, purges=purges)

    @rule()
    def sweep(self) -> None:
        alive = {name: entry for name, entry in self.there.items() if not self.dead(entry)}
        swept = self.loop.run_until_complete(self.store.sweep(self.control, self.now_s))
        assert swept == len(self.there) - len(alive)
        self.there = alive
        assert self.store.usage().entries == len(alive)

    @rule()
    def restart(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.store = self.open_store(self.folder)
        if not self.lasts:
            self.there = {}

    @invariant()
    def finds_what_was_put(self) -> None:
        for name in NAMES:
            entry = self.there.get(name)
            expected = entry if entry and self.now_s < entry.expires_s + entry.stale_s else None
            assert by_hand(self.store.get(key_of(name), self.now_s)) == expected

    def dead(self, entry: Kept) -> bool:
        return self.now_s >= entry.expires_s + entry.stale_s or self.control.kills(entry.answer, entry.key.hex())

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


class SqliteDictionary(Dictionary):
    lasts = True

    def open_store(self, folder: Path) -> Store:
        return SqliteStore(folder / "cache.db", b"secret", 100, 10**6)


class TieredDictionary(SqliteDictionary):
    """Memory so small that it evicts what the file still has."""

    def open_store(self, folder: Path) -> Store:
        return TieredStore(MemoryStore(2, 10**6), super().open_store(folder), slow_s=60.0)


TestMemory = Dictionary.TestCase
TestMemory.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSqlite = SqliteDictionary.TestCase
TestSqlite.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestTiered = TieredDictionary.TestCase
TestTiered.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
