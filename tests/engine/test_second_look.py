"""A leader looks once more before it calls, where the store takes its time. Whatever happens meanwhile is booked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from pennyworth.assemble import Parts, Runtime
from pennyworth.decide.key import Keyring
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.engine.clock import SystemClock
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.engine.terms import make_terms
from pennyworth.forgetting import Eraser
from pennyworth.ledgers.memory import MemoryJournal, MemoryLedger
from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept
from pennyworth.plan import Plan, Provider
from pennyworth.prices.genai import GenaiPrices
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.request import Caller, Key
from pennyworth.stores.control import MemoryControl
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.keybook import MemoryKeyBook
from pennyworth.stores.memory import MemoryStore
from pennyworth.testing.scripted import ScriptedUpstream, chat_json, reply
from pennyworth.wire import chat

BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "q"}]}).encode()


class SecondLook(MemoryStore):
    """Answers the first question at once, and lets the second wait."""

    immediate = False

    def __init__(self) -> None:
        super().__init__(10, 10**6)
        self.asked = 0
        self.waits = asyncio.Event()
        self.come: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def get(self, key: Key, now_s: float) -> Kept | None:
        self.asked += 1
        if self.asked != 2:
            return None
        self.waits.set()
        return kept(key, await self.come)


def kept(key: Key, raw: bytes) -> Kept:
    """As another flight of the same question has kept it."""
    answer = Answer(
        id="a1",
        form="chat",
        scope="local",
        model="gpt-4o-mini",
        target="openai/gpt-4o-mini",
        raw=raw,
        streamed=False,
        usage=Usage(input=9, output=2),
        priced_at_s=time.time(),
        created_s=time.time(),
        asked_epoch=0,
        kind="default",
    )
    return Kept(key=key, answer=answer, expires_s=time.time() + 3600)


@pytest.fixture
async def looking() -> AsyncIterator[tuple[Runtime, Relay, MemoryLedger]]:
    """A leader in the middle of its second look."""
    store, ledger, keyring = SecondLook(), MemoryLedger(), Keyring(b"k" * 32)
    plan = Plan(
        providers=(Provider(name="openai", base_url="http://127.0.0.1:1/v1"),),
        lifetimes=DEFAULT_LIFETIMES,
        allow_anonymous=True,
    )
    parts = Parts(
        store=store,
        control=MemoryControl(),
        keybook=MemoryKeyBook(),
        journal=MemoryJournal(ledger),
        ledger=ledger,
        upstream=ScriptedUpstream(then=reply(json=chat_json("x"))),
        keyring=keyring,
        eraser=Eraser(keyring, (ledger, store), ledger, lambda: None),
        once=MemoryIdempotency(),
        accounts=MemoryQuotas(),
        run="run",
    )
    runtime = Runtime(make_terms(plan, GenaiPrices(60)), parts, "w0", lambda part, what: None, SystemClock())
    relay = await runtime.engine.handle(chat.read_request(BODY, {}, Caller("local")))
    assert isinstance(relay, Relay)
    await store.waits.wait()
    yield runtime, relay, ledger
    await runtime.close()


async def test_a_leader_who_leaves_meanwhile_is_settled(looking: tuple[Runtime, Relay, MemoryLedger]) -> None:
    _, relay, ledger = looking
    relay.close()
    await asyncio.sleep(0.01)
    assert [(receipt.ending, receipt.status) for receipt in ledger.receipts(10)] == [("caller_left", 499)]


async def test_going_down_meanwhile_tells_the_reader_and_books_it(looking: tuple[Runtime, Relay, MemoryLedger]) -> None:
    runtime, relay, ledger = looking
    await runtime.engine.end("the gateway is shutting down")
    given = await relay.reply()
    relay.close()
    assert given.status == 502
    assert b"the gateway is shutting down" in given.body
    assert [receipt.status for receipt in ledger.receipts(10)] == [502]


async def test_a_leader_who_left_is_settled_though_his_followers_are_given_a_kept_answer(
    looking: tuple[Runtime, Relay, MemoryLedger],
) -> None:
    runtime, leader, ledger = looking
    follower = await runtime.engine.handle(chat.read_request(BODY, {}, Caller("local")))
    assert isinstance(follower, Relay)
    leader.close()
    store = runtime.parts.store
    assert isinstance(store, SecondLook)
    store.come.set_result(chat_json("kept meanwhile"))
    assert b"kept meanwhile" in (await follower.reply()).body
    follower.close()
    assert sorted((receipt.ending, receipt.status) for receipt in ledger.receipts(10)) == [
        ("caller_left", 499),
        ("complete", 200),
    ]


async def test_one_who_gives_up_waiting_for_an_idempotency_key_takes_nothing_down_with_him(
    looking: tuple[Runtime, Relay, MemoryLedger],
) -> None:
    runtime, _, _ = looking
    store = runtime.parts.store
    assert isinstance(store, SecondLook)
    store.asked = 1  # the next look waits as well
    keyed = chat.read_request(BODY, {"idempotency-key": "one"}, Caller("local"))
    first = asyncio.create_task(runtime.engine.handle(keyed))
    await asyncio.sleep(0)
    waiting, gives_up = [asyncio.create_task(runtime.engine.handle(keyed)) for _ in range(2)]
    await asyncio.sleep(0)
    gives_up.cancel()
    await asyncio.sleep(0)
    store.come.set_result(chat_json("kept meanwhile"))
    given = [await one for one in (first, waiting)]
    assert [one.status for one in given if isinstance(one, Reply)] == [200, 200]
