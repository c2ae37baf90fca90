"""D4: a herd that asks the same at once makes one call, and everybody gets the same bytes. An answer that may not be kept
makes nobody wait in line for the next.

A thousand over real sockets: ``tests/door/test_leaving.py``. What must not be shared: ``tests/engine/test_flights.py``.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from pennyworth.testing.scripted import Reply, chat_events, chat_json, fail, reply, stream
from tests.engine.conftest import AGAIN, House, MakeHouse

HERD = 5_000
EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))


async def herd(house: House, question: str, number: int, **fields: object) -> Counter[bytes]:
    asked = [asyncio.ensure_future(house.ask(question, **fields)) for _ in range(number)]
    return Counter(heard.body for heard in await asyncio.gather(*asked))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_five_thousand_identical_misses_are_one_call(house: MakeHouse, streamed: bool):
    go_on = asyncio.Event()
    given = stream(EVENTS, head=go_on) if streamed else reply(json=chat_json("hello"), head=go_on)
    here = await house([given])
    waiting = asyncio.ensure_future(herd(here, "everybody", HERD, stream=streamed))
    await here.upstream.until_calls(1)
    go_on.set()
    bodies = await waiting
    assert list(bodies.values()) == [HERD]
    assert len(here.upstream.calls) == 1
    receipts = here.runtime.parts.ledger.receipts(HERD + 1)
    assert Counter(receipt.served for receipt in receipts) == {"upstream": 1, "coalesced": HERD - 1}
    assert sum(bool(receipt.spent) for receipt in receipts) == 1


@pytest.mark.parametrize(
    "unkept",
    [
        reply(json=chat_json("too lo", finish="length")),
        reply(json=chat_json(None, finish="content_filter")),
        stream(chat_events(["Hel"], finish="length")),
        reply(400, json={"error": {"message": "no"}}),
    ],
    ids=["length", "filtered", "length, streamed", "refused"],
)
async def test_an_answer_that_may_not_be_kept_serialises_nobody(house: MakeHouse, unkept: Reply):
    """Each wave is one call, made at once: none waits for the one before to show that it cannot be kept either."""
    here = await house(then=unkept)
    for wave in range(1, 6):
        assert (
            await herd(here, "what none may keep", 200, stream=bool(unkept.headers[0][1] != "application/json"))
        ).total() == 200
        assert len(here.upstream.calls) == wave
    assert here.runtime.parts.store.usage().entries == 0


async def test_two_waves_of_what_may_not_be_kept_do_not_wait_for_one_another(house: MakeHouse):
    """The second comes while the first is still under way with a sampled question: each is its own call, side by side."""
    first, second = asyncio.Event(), asyncio.Event()
    here = await house([reply(json=chat_json("one"), head=first), reply(json=chat_json("two"), head=second)])
    one = asyncio.ensure_future(here.ask("sampled", temperature=0.9))
    two = asyncio.ensure_future(here.ask("sampled", temperature=0.9))
    await here.upstream.until_calls(2)
    second.set()
    assert (await two).text == "two"
    first.set()
    assert (await one).text == "one"


async def test_a_herd_whose_call_fails_costs_one_more_call_at_most(house: MakeHouse):
    here = await house([fail("reset")], then=reply(json=chat_json("well again")), persistence=AGAIN)
    bodies = await herd(here, "everybody", 1_000)
    assert len(here.upstream.calls) == 2
    assert list(bodies.values()) == [1_000]
