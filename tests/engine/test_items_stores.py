"""Embeddings over stores that take their time, and over one that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pennyworth.assemble import Parts, Runtime
from pennyworth.decide.key import Keyring
from pennyworth.engine.clock import SystemClock
from pennyworth.engine.terms import make_terms
from pennyworth.errors import StoreError
from pennyworth.forgetting import Eraser
from pennyworth.ledgers.memory import MemoryJournal, MemoryLedger
from pennyworth.outcome import Kept, Receipt
from pennyworth.plan import Lifetime, Plan, Provider
from pennyworth.prices.genai import GenaiPrices
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.request import Caller, Key
from pennyworth.stores.control import MemoryControl
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.keybook import MemoryKeyBook
from pennyworth.stores.memory import MemoryStore
from pennyworth.testing.scripted import ScriptedUpstream
from pennyworth.wire import embeddings
from tests.engine.conftest import hear
from tests.engine.embedding import MODEL, asked, provider, vector

KINDS = (Lifetime(name="embedding", ttl_s=60.0, max_s=60.0), Lifetime(name="other", ttl_s=60.0, max_s=60.0))


class Slow(MemoryStore):
    """Every question and every put waits for its turn."""

    immediate = False

    async def get(self, key: Key, now_s: float) -> Kept | None:
        await asyncio.sleep(0)
        return await super().get(key, now_s)

    async def put(self, kept: Kept) -> None:
        await asyncio.sleep(0)
        await super().put(kept)


class Broken(MemoryStore):
    async def get(self, key: Key, now_s: float) -> Kept | None:
        raise StoreError("answers.db: the disk is gone")

    async def put(self, kept: Kept) -> None:
        raise StoreError("answers.db: the disk is gone")


class Place:
    """An engine over this store."""

    def __init__(self, store: MemoryStore) -> None:
        self.ledger, keyring = MemoryLedger(), Keyring(b"k" * 32)
        self.upstream, self.troubles = ScriptedUpstream(then=provider()), list[str]()
        openai = Provider(name="openai", base_url="http://127.0.0.1:1/v1", price_provider="openai")
        parts = Parts(
            store=store,
            control=MemoryControl(),
            keybook=MemoryKeyBook(),
            journal=MemoryJournal(self.ledger),
            ledger=self.ledger,
            upstream=self.upstream,
            keyring=keyring,
            eraser=Eraser(keyring, (self.ledger, store), self.ledger, lambda: None),
            once=MemoryIdempotency(),
            accounts=MemoryQuotas(),
            run="run",
        )
        terms = make_terms(Plan(providers=(openai,), lifetimes=KINDS, allow_anonymous=True), GenaiPrices(60))
        self.runtime = Runtime(terms, parts, "w0", lambda part, what: self.troubles.append(what), SystemClock())

    async def embed(self, items: list[Any]) -> list[Any]:
        body = json.dumps({"model": MODEL, "input": items}).encode()
        heard = await hear(await self.runtime.engine.handle(embeddings.read_request(body, {}, Caller("local"))))
        return [one["embedding"] for one in json.loads(heard.body)["data"]]

    @property
    def last(self) -> Receipt:
        return self.ledger.receipts(1)[0]


@pytest.fixture
async def place() -> Any:
    made: list[Place] = []

    def make(store: MemoryStore) -> Place:
        made.append(Place(store))
        return made[-1]

    yield make
    for one in made:
        await one.runtime.close()


Make = Callable[[MemoryStore], Place]


async def test_a_store_that_takes_its_time_is_waited_for(place: Make) -> None:
    p = place(Slow(1000, 10**7))
    items = [f"text {number}" for number in range(100)]
    assert await p.embed(items[:60]) == [vector(item) for item in items[:60]]
    assert await p.embed(items) == [vector(item) for item in items]
    assert await p.embed(items[::-1]) == [vector(item) for item in items[::-1]]
    assert [asked(call) for call in p.upstream.calls] == [items[:60], items[60:]]
    assert p.last.served == "exact"


async def test_batches_that_overlap_in_time_are_each_put_together_rightly(place: Make) -> None:
    p = place(Slow(1000, 10**7))
    items = [f"text {number}" for number in range(30)]
    some: list[Awaitable[list[Any]]] = [p.embed(items[start : start + 12] + items[:2]) for start in range(0, 18, 2)]
    for start, came in zip(range(0, 18, 2), await asyncio.gather(*some), strict=True):
        assert came == [vector(item) for item in items[start : start + 12] + items[:2]]


async def test_a_store_that_fails_is_a_miss_and_told_of_once(place: Make) -> None:
    p = place(Broken(10, 10**6))
    for _ in range(2):
        assert await p.embed(["a", "b", "c"]) == [vector(item) for item in "abc"]
    assert p.last.served == "upstream"
    assert p.last.notes == ("store: answers.db: the disk is gone",)
    assert p.troubles == ["answers.db: the disk is gone"] * 2
