from __future__ import annotations

import asyncio
import json

import pytest

from pennyworth.errors import UpstreamError
from pennyworth.plan import Provider, Target
from pennyworth.ports import Call, Upstream
from pennyworth.testing.scripted import (
    ScriptedUpstream,
    UnexpectedCall,
    chat_events,
    chat_json,
    fail,
    reply,
    stream,
)

TARGET = Target(provider=Provider(name="openai", base_url="http://x"), model="m")


def call(body: bytes = b"{}") -> Call:
    return Call(target=TARGET, path="/chat/completions", headers=(), body=body, stream=False)


async def read_all(exchange) -> bytes:
    body = b""
    while part := await exchange.read():
        body += part
    return body


async def test_it_plays_its_entries_in_order_and_remembers_every_call():
    upstream = ScriptedUpstream([reply(200, json={"a": 1}), reply(429, json={}, headers={"retry-after": "1"})])
    first, second = await upstream.open(call(b"1")), await upstream.open(call(b"2"))
    assert (first.status, await read_all(first)) == (200, b'{"a":1}')
    assert (second.status, dict(second.headers)["retry-after"]) == (429, "1")
    assert [made.body for made in upstream.calls] == [b"1", b"2"]
    assert upstream.left == 0


async def test_it_is_an_upstream():
    upstream: Upstream = ScriptedUpstream([reply()])
    await upstream.close()


async def test_a_stream_is_read_in_the_cuts_of_the_script():
    upstream = ScriptedUpstream([stream([b"da", b"", b"ta"])])
    exchange = await upstream.open(call())
    assert [await exchange.read(), await exchange.read(), await exchange.read()] == [b"da", b"ta", b""]
    assert exchange.ended


async def test_a_failing_road_raises_before_the_head():
    upstream = ScriptedUpstream([fail("connect", "refused")])
    with pytest.raises(UpstreamError, match="refused") as caught:
        await upstream.open(call())
    assert (caught.value.fault, caught.value.target) == ("connect", "openai/m")
    assert len(upstream.calls) == 1


async def test_a_body_that_breaks_off_raises_and_goes_on_raising():
    exchange = await ScriptedUpstream([stream([b"half", fail("reset")])]).open(call())
    assert await exchange.read() == b"half"
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await exchange.read()
        assert caught.value.fault == "reset"
    assert not exchange.ended


async def test_an_event_between_chunks_holds_the_next_one_back():
    go = asyncio.Event()
    exchange = await ScriptedUpstream([stream([b"one", go, b"two"])]).open(call())
    assert await exchange.read() == b"one"
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    assert exchange.waiting
    assert not reading.done()
    go.set()
    assert await reading == b"two"


async def test_pause_holds_everything_after_the_first_chunk_back():
    pause = asyncio.Event()
    exchange = await ScriptedUpstream([stream([b"one", b"two"], pause=pause)]).open(call())
    assert await exchange.read() == b"one"
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    assert not reading.done()
    pause.set()
    assert await reading == b"two"


async def test_head_holds_the_head_back():
    head = asyncio.Event()
    opening = asyncio.ensure_future(ScriptedUpstream([reply(head=head)]).open(call()))
    await asyncio.sleep(0.01)
    assert not opening.done()
    head.set()
    assert (await opening).status == 200


async def test_closing_is_recorded_and_may_happen_twice():
    upstream = ScriptedUpstream([stream([b"one"])])
    exchange = await upstream.open(call())
    assert upstream.open_exchanges == [exchange]
    exchange.close()
    exchange.close()
    assert exchange.closed
    assert upstream.open_exchanges == []
    with pytest.raises(UpstreamError, match="after close"):
        await exchange.read()


async def test_closing_ends_a_read_that_is_held_back():
    exchange = await ScriptedUpstream([stream([asyncio.Event(), b"never"])]).open(call())
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    exchange.close()
    with pytest.raises(UpstreamError):
        await reading


async def test_a_cancelled_read_loses_nothing():
    go = asyncio.Event()
    exchange = await ScriptedUpstream([stream([go, b"kept"])]).open(call())
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    reading.cancel()
    go.set()
    assert await exchange.read() == b"kept"


async def test_a_call_beyond_the_script_is_an_assertion_of_the_test():
    upstream = ScriptedUpstream([])
    with pytest.raises(UnexpectedCall, match="call 1 is not in the script"):
        await upstream.open(call())
    assert len(upstream.unexpected) == 1


async def test_then_answers_every_further_call():
    upstream = ScriptedUpstream([reply(500)], then=reply(200))
    assert [(await upstream.open(call())).status for _ in range(4)] == [500, 200, 200, 200]


async def test_an_entry_may_look_at_the_call():
    upstream = ScriptedUpstream(then=lambda made: reply(body=made.body.upper()))
    assert await read_all(await upstream.open(call(b"abc"))) == b"ABC"


async def test_a_test_can_wait_for_calls():
    upstream = ScriptedUpstream(then=reply())
    waiting = asyncio.ensure_future(upstream.until_calls(2))
    await upstream.open(call())
    await asyncio.sleep(0)
    assert not waiting.done()
    await upstream.open(call())
    await asyncio.wait_for(waiting, 5)


def test_chat_events_are_a_whole_stream():
    events = chat_events(["Hel", "lo"], usage=(9, 2))
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]
    assert events[-1] == b"data: [DONE]\n\n"
    assert "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"]) == "Hello"
    assert [c["finish_reason"] for chunk in chunks for c in chunk["choices"]] == [None, None, None, "stop"]
    assert chunks[-1]["usage"]["total_tokens"] == 11
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_chat_events_can_lack_what_a_test_wants_lacking():
    events = chat_events(["Hello"], finish=None, done=False)
    assert len(events) == 2
    assert not any(b"usage" in event or b'"stop"' in event for event in events)


def test_chat_json_takes_more_where_a_test_needs_it():
    fields = json.loads(chat_json(None, finish="tool_calls", message={"tool_calls": [{"id": "c1"}]}, usage=None))
    assert fields["choices"][0]["message"]["tool_calls"] == [{"id": "c1"}]
    assert fields["usage"] is None
