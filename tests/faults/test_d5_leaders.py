"""D5: who leads a shared call leaves, fails or is killed, at any point: who follows is served or asked for again, within a
second and at the price of one call at most."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pennyworth.engine.relay import Relay
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted import UnexpectedCall, fail, reply, stream
from pennyworth.testing.scripted_server import await_close, connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import eventually
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.engine.conftest import AGAIN, House, MakeHouse, hear
from tests.faults.serving import Serving

EVENTS = chat_events(["Hel", "lo", " to", " you"], usage=(9, 4))
STEPS = 24


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def begun(house: House, **fields: object) -> Relay:
    handled = await house.begin("shared", **fields)
    assert isinstance(handled, Relay)
    return handled


@pytest.mark.parametrize("step", range(STEPS))
async def test_a_leader_who_leaves_at_any_point_ends_nothing_for_who_follows(house: MakeHouse, step: int):
    here = await house([stream(EVENTS)])
    leader = await begun(here, stream=True)
    follower = asyncio.ensure_future(hear(await begun(here, stream=step % 2 == 0)))
    await turns(step)
    leader.close()
    async with asyncio.timeout(1):
        assert (await follower).text == "Hello to you"
    assert len(here.upstream.calls) == 1
    assert sum(bool(receipt.spent) for receipt in here.receipts()) == 1


@pytest.mark.parametrize("at", range(len(EVENTS)))
async def test_a_call_that_breaks_at_any_event_is_an_error_or_one_call_more(house: MakeHouse, at: int):
    """Before its first content nothing was given, so it is made once more; after it, everybody is told."""
    here = await house([stream([*EVENTS[:at], fail("reset")])], then=stream(EVENTS), persistence=AGAIN)
    leader = asyncio.ensure_future(hear(await begun(here, stream=True)))
    followers = [asyncio.ensure_future(hear(await begun(here, stream=True))) for _ in range(5)]
    async with asyncio.timeout(1):
        told = await asyncio.gather(leader, *followers)
    if at <= 1:
        assert [heard.text for heard in told] == ["Hello to you"] * 6
        assert len(here.upstream.calls) == 2
    else:
        assert all(b'"error"' in heard.body and b"[DONE]" not in heard.body for heard in told)
        assert len(here.upstream.calls) == 1


async def test_a_defect_in_the_leaders_call_reaches_nobody_as_silence(house: MakeHouse):
    def defect(_: object) -> None:
        raise UnexpectedCall("of ours")

    here = await house([defect], then=reply(json=chat_json("hello")), persistence=AGAIN)  # type: ignore[list-item]
    leader = asyncio.ensure_future(hear(await begun(here)))
    followers = [asyncio.ensure_future(hear(await begun(here))) for _ in range(5)]
    async with asyncio.timeout(1):
        assert (await leader).status in (500, 502)
        assert [heard.text for heard in await asyncio.gather(*followers)] == ["hello"] * 5
    assert len(here.upstream.calls) == 2
    assert here.troubles


@pytest.mark.skipif(not Path("/proc").exists(), reason="the workers are found by /proc")
def test_a_worker_killed_with_its_flights_takes_no_other_down(tmp_path: Path, ask_about: Callable[[], str]):
    """Its own callers are cut off and may ask again; the other worker's go on; nothing waits for the dead one."""
    slow = [connection(send(b"HTTP/1.1 200 OK\r\n"), await_close())] * 2
    with (
        ScriptedProvider(slow, then=connection(send(last_reply(chat_json("hello"))))) as provider,
        Serving(tmp_path, provider.base_url, workers=2) as serving,
    ):
        text = ask_about()
        with Wire(serving.port) as leader:
            leader.send(post(question(text)))
            assert eventually(lambda: len(provider.requests) == 1)
            os.kill(serving.busy_worker(), signal.SIGKILL)
            before = time.monotonic()
            assert leader.closed(), "and not left waiting"
            provider.play(then_all := connection(send(last_reply(chat_json("hello")))), *[then_all] * 5)
            assert serving.ask(text).status == 200
            assert len(provider.requests) == 2, "at most one call more"
            print(f"{time.monotonic() - before:.3f} s")
