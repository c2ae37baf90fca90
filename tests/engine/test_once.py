"""Requests that bear an Idempotency-Key: one call, one result, given again byte for byte, to whoever made it and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth import canonical
from pennyworth.decide import once
from pennyworth.decide.key import Keyring
from pennyworth.engine.relay import Relay
from pennyworth.errors import StoreError
from pennyworth.mac import Mac
from pennyworth.outcome import AttemptNote, Receipt
from pennyworth.plan import CacheSpec, Limits
from pennyworth.ports import Idempotency
from pennyworth.request import Caller
from pennyworth.testing.scripted import chat_events, chat_json, error_json, fail, reply, stream
from pennyworth.wire import chat
from tests.engine.conftest import Heard, House, MakeHouse, hear, open_house

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
ASKED: dict[str, Any] = {"temperature": 1}
"""Neither kept nor shared by the cache, so that whatever is given again is given by the key."""


async def keyed(h: House, question: str = "hi", **more: Any) -> Heard:
    return await h.ask(question, headers=KEY, **(ASKED | more))


def replayed(heard: Heard) -> bool:
    return heard.headers.get("idempotent-replayed") == "true"


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_the_first_result_is_given_again_byte_for_byte_and_paid_for_once(
    house: MakeHouse, streams: bool, usage: bool
) -> None:
    given_reply = stream(chat_events(["one ", "two"], usage=(9, 2))) if streams else reply(json=chat_json("one two"))
    h = await house([given_reply])
    more: dict[str, Any] = {"stream": streams}
    if usage:
        more["stream_options"] = {"include_usage": True}
    first, again = await keyed(h, **more), await keyed(h, **more)
    assert (first.status, first.text, again.body) == (200, "one two", first.body)
    assert (replayed(first), replayed(again)) == (False, True)
    assert again.headers["content-type"] == first.headers["content-type"]
    paid, free = h.receipts()
    assert paid.spent.pico > 0
    assert (free.served, free.ending, free.spent.pico, free.would_have_cost.pico) == ("replayed", "complete", 0, 0)
    assert paid.id in free.reason
    assert again.headers["x-pennyworth-receipt"] == free.id
    assert len(h.upstream.calls) == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_failure_of_the_provider_is_the_result_too(house: MakeHouse, streams: bool) -> None:
    h = await house([reply(500, json=error_json("it broke"))])
    first, again = await keyed(h, stream=streams), await keyed(h, stream=streams)
    assert (first.status, again.status, again.body) == (500, 500, first.body)
    assert replayed(again)
    assert h.last().ending == "error"


@pytest.mark.parametrize(
    "failure",
    [
        reply(400, json=error_json("no such field")),
        reply(401, json=error_json("who are you")),
        reply(429, json=error_json("slow down"), headers={"retry-after": "1"}),
        reply(503, json=error_json("not now")),
        fail("connect"),
    ],
)
async def test_what_did_nothing_is_no_result_and_may_be_asked_again(house: MakeHouse, failure: Any) -> None:
    h = await house([failure, reply(json=chat_json("better"))])
    first = await keyed(h)
    assert first.status >= 400
    again = await keyed(h)
    assert (again.status, again.text, replayed(again)) == (200, "better", False)
    assert replayed(await keyed(h))


@pytest.mark.parametrize("failure", [fail("reset"), fail("timeout"), stream([b"data: {", fail("reset")])])
async def test_a_call_that_broke_off_may_be_paid_for_and_is_not_made_again(house: MakeHouse, failure: Any) -> None:
    h = await house([failure])
    first, again = await keyed(h, stream=True), await keyed(h, stream=True)
    assert (again.status, again.body) == (first.status, first.body)
    assert first.status in (502, 504)
    assert replayed(again)


async def test_a_stream_that_broke_off_in_the_middle_is_given_again_as_it_was(house: MakeHouse) -> None:
    events = chat_events(["a beginning", " and more"], usage=(9, 2))
    h = await house([stream([*events[:2], fail("reset")])])
    first, again = await keyed(h, stream=True), await keyed(h, stream=True)
    assert first.body == again.body
    assert b"error" in first.body.splitlines()[-2]


async def test_another_body_under_the_same_key_is_refused(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    await keyed(h, "hi")
    for other in ({"question": "ho"}, {"temperature": 2}, {"stream": True}, {"user": "anna"}, {"unknown": None}):
        refused = await keyed(h, **other)
        assert (refused.status, b"idempotency_key_reused" in refused.body) == (422, True)
        assert h.last().served == "none"
    assert len(h.upstream.calls) == 1


async def test_spaces_and_the_order_of_fields_are_no_other_body(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    bodies = [
        b'{"model":"gpt-4o-mini","temperature":0.50,"messages":[{"role":"user","content":"hi"}]}',
        b'{ "temperature": 0.50, "messages": [{"content": "hi", "role": "user"}],\n"model": "gpt-4o-mini"}',
        b'{"model":"gpt-4o-mini","temperature":0.5,"messages":[{"role":"user","content":"hi"}]}',
    ]
    given = [await hear(await h.engine.handle(chat.read_request(body, KEY, Caller("local")))) for body in bodies]
    assert [one.status for one in given] == [200, 200, 422]


async def test_a_body_without_a_canonical_form_is_compared_byte_by_byte(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    twice = b'{"model":"gpt-4o-mini","messages":[{"role":"user","role":"user","content":"hi"}]%b}'
    given = [
        await hear(await h.engine.handle(chat.read_request(twice % end, KEY, Caller("local"))))
        for end in (b"", b"", b" ")
    ]
    assert [one.status for one in given] == [200, 200, 422]


async def test_many_at_once_share_one_flight_and_get_the_same_bytes(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["a", "b", "c"], usage=(9, 3))
    h = await house([stream([*events[:2], gate, *events[2:]])])
    begun = [await h.begin("hi", headers=KEY, stream=True, **ASKED) for _ in range(20)]
    other = await keyed(h, "another body", stream=True)
    assert other.status == 422
    tasks = [asyncio.create_task(hear(one)) for one in begun]
    gate.set()
    heard = await asyncio.gather(*tasks)
    assert {(one.status, one.text) for one in heard} == {(200, "abc")}
    assert len({one.body for one in heard}) == 1
    assert len(h.upstream.calls) == 1
    assert sum(receipt.spent.pico > 0 for receipt in h.receipts()) == 1


async def test_the_result_stands_before_the_caller_has_the_last_byte(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([stream([*chat_events(["all of it"], usage=(9, 2)), gate])])
    caller = await h.begin("hi", headers=KEY, stream=True, **ASKED)
    assert isinstance(caller, Relay)
    await caller.reply()
    body = b""
    while b"[DONE]" not in body:
        body += await caller.read()
    async with asyncio.timeout(20):  # who joined the flight would wait for the provider, whose body is open still
        again = await keyed(h, stream=True)
    assert (again.body, replayed(again)) == (body, True)
    gate.set()
    caller.close()


async def test_who_leaves_and_asks_again_gets_what_was_paid_for(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["all ", "of it"], usage=(9, 2))
    h = await house([stream([*events[:2], gate, *events[2:]])])
    caller = await h.begin("hi", headers=KEY, stream=True, **ASKED)
    assert isinstance(caller, Relay)
    await caller.reply()
    caller.close()
    joined = await h.begin("hi", headers=KEY, stream=True, **ASKED)
    gate.set()
    assert (await hear(joined)).text == "all of it"
    assert (await keyed(h, stream=True)).text == "all of it"
    left = next(receipt for receipt in h.receipts() if receipt.ending == "caller_left")
    assert left.spent.pico > 0
    assert len(h.upstream.calls) == 1


async def test_a_caller_who_leaves_before_anything_came_has_it_made_all_the_same(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("late"), head=gate)])
    caller = await h.begin("hi", headers=KEY, **ASKED)
    assert isinstance(caller, Relay)
    await h.upstream.until_calls(1)
    caller.close()
    gate.set()
    await asyncio.gather(*[flight.task for flight in h.engine.flights.all() if flight.task])
    again = await keyed(h)
    assert (again.text, replayed(again)) == ("late", True)


async def test_a_kept_answer_is_recorded_as_the_result(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("kept"))])
    await h.ask("hi")
    first = await h.ask("hi", headers=KEY)
    assert "hit" in first.cache
    again = await h.ask("hi", headers=KEY)
    assert (again.body, replayed(again), replayed(first)) == (first.body, True, False)


async def test_a_call_shared_by_the_cache_is_the_result_too(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("shared"), head=gate)])
    plain, with_key = await h.begin("hi"), await h.begin("hi", headers=KEY)
    tasks = [asyncio.create_task(hear(one)) for one in (plain, with_key)]
    gate.set()
    heard = await asyncio.gather(*tasks)
    again = await h.ask("hi", headers=KEY)
    assert {one.text for one in (*heard, again)} == {"shared"}
    assert replayed(again)


async def test_the_first_result_stands_when_the_cache_has_another(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("first")), reply(json=chat_json("second"))])
    assert (await h.ask("hi", headers=KEY)).text == "first"
    assert (await h.ask("hi", headers={"cache-control": "no-cache"})).text == "second"
    assert (await h.ask("hi")).text == "second"
    assert (await h.ask("hi", headers=KEY)).text == "first"


async def test_the_kill_switch_does_not_make_anybody_pay_twice(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))], enabled=False)
    await keyed(h)
    assert replayed(await keyed(h))


async def test_our_own_refusals_are_no_result(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    headers = KEY | {"cache-control": "only-if-cached"}
    assert (await h.ask("hi", headers=headers)).status == 504
    assert (await h.ask("hi", headers=KEY)).text == "x"


async def test_a_result_too_large_is_not_kept_and_not_made_again(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x" * 2000))], cache=CacheSpec(max_answer_bytes=1000))
    assert (await keyed(h)).status == 200
    again = await keyed(h)
    assert (again.status, b"idempotency_result_not_kept" in again.body) == (409, True)
    assert again.headers["x-should-retry"] == "false"


async def test_a_stream_too_large_goes_to_its_caller_whole_and_is_not_made_again(house: MakeHouse) -> None:
    words = ["word " * 50] * 40
    h = await house([stream(chat_events(words, usage=(9, 2)))], cache=CacheSpec(max_answer_bytes=1000))
    assert (await keyed(h, stream=True)).text == "".join(words)
    again = await keyed(h, stream=True)
    assert (again.status, b"idempotency_result_not_kept" in again.body) == (409, True)


async def test_after_its_time_the_key_is_free(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x")), reply(json=chat_json("y"))], limits=Limits(idempotency_s=60.0))
    await keyed(h)
    h.clock.now_s += 59.0
    assert replayed(await keyed(h))
    h.clock.now_s += 2.0
    assert (await keyed(h)).text == "y"


async def test_a_flight_that_the_gateway_cuts_off_has_no_known_outcome(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("never"), head=gate)])
    begun = await h.begin("hi", headers=KEY, **ASKED)
    hearing = asyncio.create_task(hear(begun))
    await h.upstream.until_calls(1)
    await h.engine.end("the gateway is shutting down")
    assert (await hearing).status == 502
    again = await keyed(h)
    assert (again.status, b"outcome_unknown" in again.body) == (409, True)
    assert again.headers["x-should-retry"] == "false"


class Broken:
    """A book on a broken disk: the one part of a gateway that must not be passed over in silence."""

    def __init__(self, book: Idempotency) -> None:
        self.begin = book.begin
        self.close = book.close

    def finish(self, *_: Any) -> None:
        raise StoreError("idempotency.db: no room: the disk is full")

    drop = finish


async def test_a_result_that_cannot_be_written_is_given_once_and_never_paid_again(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    h.engine._once._book = Broken(h.engine._once._book)
    assert (await keyed(h)).text == "x"
    again = await keyed(h)
    assert (again.status, b"outcome_unknown" in again.body) == (409, True)
    assert any("no room" in trouble for trouble in h.troubles)


# Laws.

words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
names = st.sampled_from(["a", "b", "a\0", '["a"', "a,b", ""]) | words


@given(one=st.tuples(names, names, words), other=st.tuples(names, names, words))
def test_two_who_ask_under_one_key_never_meet(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    mac = Mac(Keyring(b"s" * 32).derive("idempotency"))

    def row(who: tuple[str, str, str]) -> bytes:
        scope, client, key = who
        request = chat.read_request(
            b'{"model":"m","messages":[{}]}', {"idempotency-key": key}, Caller(scope, client=client)
        )
        return once.row_key(mac, request)

    assert (row(one) == row(other)) == (one == other)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whoever_asks_whatever_in_whatever_order_each_key_of_each_caller_is_paid_for_once(data: st.DataObject) -> None:
    asks = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["anna", "berta"]), st.sampled_from(["k1", "k2"]), st.sampled_from(["q1", "q2"])),
            max_size=12,
        )
    )

    async def play() -> None:
        h = open_house(then=lambda call: reply(json=chat_json(canonical.encode([len(h.upstream.calls)]).decode())))
        first: dict[tuple[str, str], tuple[str, bytes]] = {}
        for scope, key, question in asks:
            heard = await h.ask(question, scope=scope, headers={"idempotency-key": key}, **ASKED)
            known = first.setdefault((scope, key), (question, heard.body))
            assert heard.status == (200 if known[0] == question else 422)
            assert heard.status == 422 or heard.body == known[1]
        assert len(h.upstream.calls) == len(first)
        assert len({body for _, body in first.values()}) == len(first)
        await h.runtime.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("status", "broke", "paid"),
    [
        (200, "", True), (500, "", True), (502, "", True), (504, "", True), (0, "reset", True), (0, "timeout", True),
        (0, "connect", False), (400, "", False), (429, "", False), (503, "", False), (529, "", False),
    ],
)  # fmt: skip
def test_which_calls_may_have_been_paid_for(status: int, broke: Any, paid: bool) -> None:
    assert once.may_be_paid(AttemptNote(target="p/m", status=status, ending="error", broke=broke)) is paid


async def test_every_receipt_of_all_this_balances(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("x"))])
    await keyed(h)
    await keyed(h)
    receipts: list[Receipt] = h.receipts()  # asserts it
    assert [receipt.served for receipt in receipts] == ["upstream", "replayed"]
