"""A stream too long to be kept passes, and what has passed is let go: memory is for answers that will be given again."""

from __future__ import annotations

import asyncio

from pennyworth.plan import CacheSpec
from pennyworth.testing.scripted import chat_events, stream
from tests.engine.conftest import House, MakeHouse, hear

SHORT = CacheSpec(max_answer_bytes=4_000)
WORDS = [f"word{number} " for number in range(100)]
EVENTS = chat_events(WORDS, usage=(9, 100))
TEXT = "".join(WORDS)


def held(house: House) -> int:
    """Bytes of the flights that somebody could still read."""
    return sum(len(block) for flight in house.engine.flights.all() for block in flight.blocks)


async def until_it_waits(house: House) -> None:
    """Until the first call has brought all it may for now."""
    while not (house.upstream.exchanges and house.upstream.exchanges[0].waiting):  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0)


async def test_it_is_given_whole_kept_by_nobody_and_booked(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([stream([*EVENTS[:90], gate, *EVENTS[90:]])], cache=SHORT)
    reading = asyncio.create_task(hear(await h.begin("long", stream=True)))
    await until_it_waits(h)
    assert held(h) < 4_000 < len(b"".join(EVENTS[:90]))
    gate.set()
    assert (await reading).text == TEXT
    receipt = h.last()
    assert (receipt.ending, receipt.usage and receipt.usage.output) == ("complete", 100)
    assert h.runtime.parts.store.usage().entries == 0
    assert sum("more than cache.max_answer_bytes" in reason for reason in h.runtime.state.counters.not_kept) == 1


async def test_who_comes_early_reads_along_and_who_comes_late_asks_for_himself(house: MakeHouse) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    h = await house([stream([*EVENTS[:5], first, *EVENTS[5:60], second, *EVENTS[60:]]), stream(EVENTS)], cache=SHORT)
    one = asyncio.create_task(hear(await h.begin("long", stream=True)))
    await h.upstream.until_calls(1)
    two = await h.begin("long", stream=True)
    first.set()
    await until_it_waits(h)
    third = asyncio.create_task(hear(await h.begin("long", stream=True)))
    second.set()
    assert (await one).text == (await hear(two)).text == (await third).text == TEXT
    assert len(h.upstream.calls) == 1, "two readers need all of it, so the third may read it as well"


async def test_who_wants_it_whole_gets_it_whole(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([stream([*EVENTS[:50], gate, *EVENTS[50:]]), stream(EVENTS)], cache=SHORT)
    one = asyncio.create_task(hear(await h.begin("long", stream=True)))
    await until_it_waits(h)
    late = asyncio.create_task(hear(await h.begin("long")))
    await h.upstream.until_calls(2)
    gate.set()
    assert (await one).text == (await late).text == TEXT


async def test_cut_in_the_middle_it_is_an_error_as_any(house: MakeHouse) -> None:
    h = await house([stream(EVENTS[:-3])], cache=SHORT)
    heard = await h.ask("long", stream=True)
    assert b'"error"' in heard.body
    assert (h.last().ending, h.last().usage is not None) == ("cut", True)
