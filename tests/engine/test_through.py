"""What is passed through, as a dialogue with a scripted provider: pace, endings, and what the books say of each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import UpstreamError
from pennyworth.outcome import AttemptNote
from pennyworth.plan import Limits
from pennyworth.request import Caller, Request
from pennyworth.testing.scripted import fail, reply, stream
from pennyworth.wire import other
from tests.engine.conftest import AGAIN, House, MakeHouse, open_house

PIECE = bytes(16 * 1024)
SOUND = {"content-type": "audio/mpeg"}


def asked(method: str = "GET", path: str = "/v1/files/file-1/content", body: bytes = b"") -> Request:
    return other.read_request(other.Asking(method, path, "", {}), body, Caller("local"))


async def begin(house: House, request: Request) -> Relay:
    relay = await house.engine.handle(request)
    assert isinstance(relay, Relay)
    return relay


async def hear(relay: Relay) -> tuple[Reply, bytes]:
    given = await relay.reply()
    parts = [given.body]
    while given.more and (part := await relay.read()):
        parts.append(part)
    relay.close()
    return given, b"".join(parts)


async def many_turns() -> None:
    for _ in range(300):
        await asyncio.sleep(0)


def only(house: House) -> AttemptNote:
    (attempt,) = house.last().attempts
    return attempt


async def test_a_reader_who_takes_nothing_holds_the_provider_back(house: MakeHouse):
    made = await house([stream([PIECE] * 100, headers=SOUND)])
    relay = await begin(made, asked())
    assert (await relay.reply()).more
    await many_turns()
    assert relay.flight.pushed <= 4 * len(PIECE)
    assert len((await hear(relay))[1]) == 100 * len(PIECE)


async def test_what_was_read_is_forgotten(house: MakeHouse):
    made = await house([stream([PIECE] * 100, headers=SOUND)])
    relay = await begin(made, asked())
    await hear(relay)
    assert sum(map(len, relay.flight.blocks)) == 0


async def test_its_receipt_is_written_before_its_end_is_given(house: MakeHouse):
    gate = asyncio.Event()
    made = await house([stream([b"a", gate], headers=SOUND)])
    relay = await begin(made, asked())
    await relay.reply()
    assert await relay.read() == b"a"
    assert made.receipts() == []
    gate.set()
    assert await relay.read() == b""
    assert (made.last().ending, made.last().status, made.last().basis) == ("complete", 200, "none")


async def test_the_head_is_given_before_the_body_comes(house: MakeHouse):
    gate = asyncio.Event()
    made = await house([stream([gate, b"a"], headers=SOUND, status=206)])
    relay = await begin(made, asked())
    assert (await relay.reply()).status == 206
    gate.set()
    await hear(relay)
    assert made.last().status == 206


async def test_a_caller_who_leaves_ends_the_call_and_is_booked(house: MakeHouse):
    made = await house([stream([b"a", asyncio.Event()], headers=SOUND)])
    relay = await begin(made, asked("POST", "/v1/audio/speech"))
    await relay.reply()
    relay.close()
    await many_turns()
    assert made.upstream.exchanges[0].closed
    assert (made.last().ending, made.last().status, made.last().basis) == ("caller_left", 499, "unpriced")


async def test_one_who_leaves_before_the_call_is_made_is_booked_too(house: MakeHouse):
    made = await house()
    (await begin(made, asked())).close()
    await many_turns()
    assert made.upstream.calls == []
    assert (made.last().ending, made.last().attempts) == ("caller_left", ())


async def test_the_end_of_the_gateway_breaks_off_what_is_half_given(house: MakeHouse):
    made = await house([stream([b"a", asyncio.Event()], headers=SOUND)])
    relay = await begin(made, asked())
    await relay.reply()
    assert await relay.read() == b"a"
    await made.engine.end("the gateway is shutting down")
    with pytest.raises(UpstreamError, match="shutting down"):
        await relay.read()
    relay.close()
    assert made.last().ending == "cut"


async def test_a_body_that_breaks_off_raises_and_is_not_asked_for_again(house: MakeHouse):
    made = await house([stream([b"a", fail("reset")], headers=SOUND)], persistence=AGAIN)
    relay = await begin(made, asked())
    await relay.reply()
    assert await relay.read() == b"a"
    with pytest.raises(UpstreamError):
        await relay.read()
    relay.close()
    assert len(made.upstream.calls) == 1


MAY_BE_ASKED_AGAIN: list[tuple[str, Any, int]] = [
    ("GET", fail("reset"), 2),
    ("GET", reply(503, json={}), 2),
    ("POST", fail("connect"), 2),
    ("POST", reply(429, json={}), 2),
    ("POST", fail("reset"), 1),
    ("POST", reply(500, json={}), 1),
    ("DELETE", fail("timeout"), 1),
    ("GET", reply(404, json={}), 1),
]


@pytest.mark.parametrize(("method", "first", "calls"), MAY_BE_ASKED_AGAIN)
async def test_only_what_was_not_done_is_asked_again(house: MakeHouse, method: str, first: Any, calls: int):
    made = await house([first, reply(json={"ok": True})], persistence=AGAIN)
    given, _ = await hear(await begin(made, asked(method, "/v1/batches")))
    assert len(made.upstream.calls) == calls
    assert (given.status == 200) is (calls == 2)
    assert [call.method for call in made.upstream.calls] == [method] * calls


async def test_a_failure_without_end_is_not_held_without_end(house: MakeHouse):
    made = await house([stream([PIECE] * 100, status=500)])
    given, body = await hear(await begin(made, asked()))
    assert (given.status, b"upstream" in body) == (500, True)
    assert len(body) < 2 * len(PIECE)


async def test_as_many_as_may_be_under_way_and_no_more():
    made = open_house([stream([b"a", asyncio.Event()], headers=SOUND)], limits=Limits(max_in_flight=1))
    relay = await begin(made, asked())
    refused = await made.engine.handle(asked())
    assert isinstance(refused, Reply)
    assert refused.status == 503
    relay.close()
    await made.runtime.close()


async def test_it_counts_as_a_call_to_its_provider_and_as_unpriced(house: MakeHouse):
    made = await house([reply(json={"id": "file-1"})])
    await hear(await begin(made, asked("POST", "/v1/files", b"a")))
    counters = made.engine.state.counters
    assert counters.unpriced == 1
    assert sum(counters.upstream_calls.values()) == 1
    assert (only(made).basis, only(made).target) == ("unpriced", "openai/other")
