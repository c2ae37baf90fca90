"""Many callers, one call: joining, leaving, failing. The test decides what happens first, never the clock."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.decide import invalidate
from pennyworth.engine.relay import Relay
from pennyworth.engine.terms import make_terms
from pennyworth.plan import Limits, Route
from pennyworth.testing.scripted import chat_events, chat_json, error_json, fail, reply, stream
from tests.engine.conftest import AGAIN, MakeHouse, hear, open_house


async def test_twenty_at_once_share_one_call_and_only_one_pays(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("shared"), head=gate)])
    begun = [await h.begin("q") for _ in range(20)]
    tasks = [asyncio.create_task(hear(one)) for one in begun]
    await h.upstream.until_calls(1)
    gate.set()
    heard = await asyncio.gather(*tasks)
    assert {one.text for one in heard} == {"shared"}
    assert len(h.upstream.calls) == 1
    served = [receipt.served for receipt in h.receipts()]
    assert (served.count("upstream"), served.count("coalesced")) == (1, 19)
    paid = sum(receipt.spent.pico for receipt in h.receipts())
    assert paid == next(receipt.spent.pico for receipt in h.receipts() if receipt.served == "upstream") > 0


async def test_a_late_caller_reads_a_running_stream_from_its_first_byte(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["one ", "two ", "three"], usage=(9, 3))
    h = await house([stream([*events[:3], gate, *events[3:]])])
    first = await h.begin("q", stream=True)
    assert isinstance(first, Relay)
    await first.reply()
    seen = await first.read()
    assert b"one" in seen
    late, whole = await h.begin("q", stream=True), await h.begin("q")
    tasks = [asyncio.create_task(hear(one)) for one in (late, whole)]
    gate.set()
    rest = await hear(first)
    heard = await asyncio.gather(*tasks)
    assert heard[0].body == seen + rest.body
    assert heard[1].text == "one two three"
    assert "collapsed" in heard[0].cache
    assert len(h.upstream.calls) == 1


async def test_the_leader_leaving_ends_nothing_for_the_others_and_his_call_is_booked_once(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["a", "b"], usage=(9, 2))
    h = await house([stream([*events[:2], gate, *events[2:]])])
    leader, follower = await h.begin("q", stream=True), await h.begin("q", stream=True)
    assert isinstance(leader, Relay)
    await leader.reply()
    leader.close()
    gate.set()
    assert (await hear(follower)).text == "ab"
    by_ending = {receipt.ending: receipt for receipt in h.receipts()}
    assert by_ending["caller_left"].spent.pico > 0
    assert by_ending["complete"].served == "coalesced"
    assert "hit" in (await h.ask("q")).cache


async def test_a_stream_that_breaks_when_its_leader_has_left_ends_in_an_error_event_for_the_others(
    house: MakeHouse,
) -> None:
    gate = asyncio.Event()
    h = await house([stream([*chat_events(["a", "b"])[:2], gate, fail("reset")])])
    leader, follower = await h.begin("q", stream=True), await h.begin("q", stream=True)
    assert isinstance(leader, Relay)
    await leader.reply()
    leader.close()
    gate.set()
    heard = await hear(follower)
    assert b'"error"' in heard.body
    assert b"[DONE]" not in heard.body
    assert sorted(receipt.ending for receipt in h.receipts()) == ["caller_left", "cut"]


async def test_the_last_caller_leaving_closes_the_call_and_books_an_estimate(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["some words that were generated"], usage=(9, 2))
    h = await house([stream([*events[:2], gate])])
    caller = await h.begin("a question of some length", stream=True)
    assert isinstance(caller, Relay)
    await caller.reply()
    caller.close()
    await asyncio.gather(*[flight.task for flight in h.engine.flights.all() if flight.task])
    assert h.upstream.exchanges[0].closed
    receipt = h.last()
    assert (receipt.ending, receipt.basis, receipt.status) == ("caller_left", "estimated", 499)
    assert receipt.spent.pico > 0
    h.upstream._script.append(reply(json=chat_json("fresh")))
    assert (await h.ask("a question of some length")).text == "fresh"


async def test_a_caller_who_leaves_before_anything_was_sent_is_settled_and_costs_nothing(house: MakeHouse) -> None:
    h = await house()
    caller = await h.begin("q")
    assert isinstance(caller, Relay)
    caller.close()
    await asyncio.gather(*[flight.task for flight in h.engine.flights.all() if flight.task])
    assert not h.upstream.calls
    assert (h.last().ending, h.last().spent.pico, h.last().attempts) == ("caller_left", 0, ())


async def test_a_purge_divides_those_who_asked_before_it_from_those_who_ask_after(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("old"), head=gate), reply(json=chat_json("new"))])
    before = asyncio.create_task(hear(await h.begin("q")))
    await h.upstream.until_calls(1)
    h.engine.keeper.change(lambda row: invalidate.purge(row, "all", "", h.clock.now_s))
    assert (await h.ask("q")).text == "new"
    gate.set()
    assert (await before).text == "old"
    assert (await h.ask("q")).text == "new"


async def test_an_odd_but_whole_body_is_passed_on_as_it_came(house: MakeHouse) -> None:
    h = await house([reply(body=b'{"choices":[{"index":0,"message":{"content":"no reason"}}]}'), reply(204)])
    heard = await h.ask("q")
    assert (heard.status, heard.body) == (200, b'{"choices":[{"index":0,"message":{"content":"no reason"}}]}')
    assert (await h.ask("q2")).status == 204


async def test_done_without_a_reason_is_one_call_and_no_complete_answer(house: MakeHouse) -> None:
    h = await house([stream(chat_events(["x"], finish=None))])
    heard = await h.ask("q", stream=True)
    assert b"[DONE]" not in heard.body
    assert b'"error"' in heard.body
    assert len(h.last().attempts) == 1


async def test_a_caller_who_leaves_while_a_stale_answer_is_at_hand_is_settled_too(house: MakeHouse) -> None:
    script = [reply(json=chat_json("kept")), reply(503, json=error_json("down"))]
    h = await house(script, routes=(Route(stale_if_error_s=86400),))
    await h.ask("q")
    h.clock.now_s += 7200
    caller = await h.begin("q")
    assert isinstance(caller, Relay)
    await asyncio.gather(*[flight.task for flight in h.engine.flights.all() if flight.task])
    caller.close()
    assert h.last().ending == "caller_left"
    assert len(h.last().attempts) == 1


async def test_a_redirect_is_not_followed_and_says_where_to_look(house: MakeHouse) -> None:
    h = await house([reply(307, headers={"location": "http://evil.example/"})])
    heard = await h.ask("q")
    assert heard.status == 502
    assert b"base_url" in heard.body


async def test_a_redirect_costs_nothing(house: MakeHouse) -> None:
    h = await house([reply(status=307, body=b"", headers={"location": "http://elsewhere/v1"})])
    await h.ask("q")
    assert (h.last().spent.pico, h.last().attempts[0].basis) == (0, "none")


async def test_a_whole_reply_is_booked_with_the_status_its_caller_got_though_a_stream_had_begun(
    house: MakeHouse,
) -> None:
    gate = asyncio.Event()
    h = await house([stream([*chat_events(["a", "b"])[:2], gate, fail("reset")])])
    leader, follower = await h.begin("q", stream=True), await h.begin("q")
    assert isinstance(leader, Relay)
    await leader.reply()
    gate.set()
    heard = await asyncio.gather(hear(leader), hear(follower))
    statuses = {receipt.stream: receipt.status for receipt in h.receipts()}
    assert statuses == {True: heard[0].status, False: heard[1].status} == {True: 200, False: 502}


async def test_an_outcome_that_is_not_kept_is_shared_and_serialises_nobody(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("half", finish="length"), head=gate)])
    tasks = [asyncio.create_task(hear(await h.begin("q"))) for _ in range(8)]
    await h.upstream.until_calls(1)
    gate.set()
    assert {one.text for one in await asyncio.gather(*tasks)} == {"half"}
    assert len(h.upstream.calls) == 1


@pytest.mark.parametrize("failure", [reply(503, json=error_json("down")), fail("reset"), stream([fail("reset")])])
async def test_followers_of_a_failed_call_are_served_by_its_retry(house: MakeHouse, failure: object) -> None:
    gate = asyncio.Event()
    h = await house([lambda call: failure, reply(json=chat_json("second try"), head=gate)], persistence=AGAIN)
    begun = [await h.begin("q") for _ in range(10)]
    tasks = [asyncio.create_task(hear(one)) for one in begun]
    await h.upstream.until_calls(2)
    gate.set()
    heard = await asyncio.gather(*tasks)
    assert {one.status for one in heard} == {200}
    assert len(h.upstream.calls) == 2


async def test_an_outage_costs_a_crowd_one_flight(house: MakeHouse) -> None:
    h = await house(then=reply(503, json=error_json("down")))
    begun = [await h.begin("q") for _ in range(50)]
    heard = await asyncio.gather(*[hear(one) for one in begun])
    assert {one.status for one in heard} == {503}
    assert len(h.upstream.calls) == 1


async def test_a_cut_stream_ends_in_an_error_event_for_all_who_read_it(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["part"], usage=(9, 1))
    h = await house([stream([*events[:2], gate, fail("reset", "the line went dead")])])
    one, two = await h.begin("q", stream=True), await h.begin("q", stream=True)
    tasks = [asyncio.create_task(hear(each)) for each in (one, two)]
    await asyncio.sleep(0)
    gate.set()
    for heard in await asyncio.gather(*tasks):
        assert heard.status == 200
        assert b"part" in heard.body
        assert b"[DONE]" not in heard.body
        assert heard.body.rstrip().endswith(b"}}")
        assert b"the line went dead" in heard.body
    assert {receipt.ending for receipt in h.receipts()} == {"cut"}


async def test_before_its_first_content_a_broken_stream_is_an_error_with_a_status(house: MakeHouse) -> None:
    events = chat_events(["x"])
    h = await house([stream([events[0], fail("reset")])])
    assert (await h.ask("q", stream=True)).status == 502


async def test_every_cut_of_a_stream_is_an_error_and_is_never_kept(house: MakeHouse) -> None:
    events = chat_events(["some", " words", " here"], usage=(9, 3))
    h = await house([stream([*events[:n], fail("reset")]) for n in range(len(events))])
    for _ in range(len(events)):
        heard = await h.ask("q", stream=True)
        assert heard.status >= 500 or b'"error"' in heard.body
        assert b"[DONE]" not in heard.body
    assert h.upstream.left == 0


async def test_requests_that_must_not_be_shared_each_make_their_call(house: MakeHouse) -> None:
    h = await house(then=reply(json=chat_json("x")), routes=(Route(),))
    for more in ({"headers": {"cache-control": "no-store"}}, {"temperature": 0.7}):
        before = len(h.upstream.calls)
        begun = [await h.begin("q", **more) for _ in range(4)]
        await asyncio.gather(*[hear(one) for one in begun])
        assert len(h.upstream.calls) - before == 4


async def test_tenants_never_share_a_flight(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("a's")), reply(json=chat_json("b's"))])
    a, b = await h.begin("q", scope="a"), await h.begin("q", scope="b")
    assert [(await hear(one)).text for one in (a, b)] == ["a's", "b's"]


async def test_a_reply_beyond_the_limit_is_cut_not_swallowed(house: MakeHouse) -> None:
    h = await house([reply(body=b"x" * 5000)], limits=Limits(max_reply_bytes=4096))
    heard = await h.ask("q")
    assert heard.status == 502
    assert b"max_reply_bytes" in heard.body


async def test_a_401_says_which_key_to_look_at_and_nothing_secret(house: MakeHouse) -> None:
    h = await house([reply(401, json=error_json("Incorrect API key provided: sk-test"))])
    heard = await h.ask("q")
    assert heard.status == 401
    assert b"OPENAI_API_KEY" in heard.body
    assert b"sk-test" not in heard.body


async def test_an_error_inside_a_reply_never_says_our_credential_back(house: MakeHouse) -> None:
    quoted = error_json("bad key sk-test")
    h = await house([stream([*chat_events(["x"])[:2], b"data: " + quoted + b"\n\n"]), reply(json=quoted)])
    streamed, whole = await h.ask("a", stream=True), await h.ask("b")
    for heard in (streamed, whole):
        assert b"bad key" in heard.body
        assert b"sk-test" not in heard.body


async def test_a_defect_of_ours_reaches_every_reader_as_an_error(house: MakeHouse) -> None:
    def break_it(call: object) -> object:
        raise RuntimeError("a defect")

    h = await house([break_it])
    heard = await h.ask("q")
    assert heard.status == 502
    assert any("a defect" in trouble for trouble in h.troubles)
    assert h.last().ending == "cut"


async def test_going_down_tells_readers_and_books_everything(house: MakeHouse) -> None:
    gate = asyncio.Event()
    events = chat_events(["part"])
    h = await house([stream([*events[:2], gate])])
    caller = await h.begin("q", stream=True)
    assert isinstance(caller, Relay)
    await caller.reply()
    assert b"part" in await caller.read()
    await h.engine.end("the gateway is shutting down")
    assert b"shutting down" in await caller.read()
    assert await caller.read() == b""
    caller.close()
    assert h.last().ending == "cut"
    h.runtime.state.draining = True
    assert (await h.ask("q")).status == 503


async def test_a_slow_reader_holds_the_provider_back(house: MakeHouse) -> None:
    big = "x" * 50_000
    events = chat_events([big] * 20, usage=(9, 3))
    h = await house([stream(events)])
    caller = await h.begin("q", stream=True)
    assert isinstance(caller, Relay)
    await caller.reply()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(h.upstream.exchanges[0].delivered) < 400_000
    assert (await hear(caller)).text == big * 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=6), st.lists(st.integers(1, 200), max_size=8), st.booleans())
def test_whatever_leaves_when_every_request_is_settled_once(leaves: list[int], cuts: list[int], breaks: bool) -> None:
    """Callers leave after any number of blocks, the stream is cut anywhere, it may break: one receipt each."""
    asyncio.run(_leaving(leaves, cuts, breaks))


async def _leaving(leaves: list[int], cuts: list[int], breaks: bool) -> None:
    raw, chunks = b"".join(chat_events(["a", "b", "c", "d"], usage=(9, 4))), []
    for cut in cuts:
        chunks.append(raw[:cut])
        raw = raw[cut:]
    script = [chunk for chunk in [*chunks, raw] if chunk] + ([fail("reset")] if breaks else [])
    h = open_house(then=stream(script))
    begun = [await h.begin("q", stream=True) for _ in range(len(leaves) + 1)]
    await asyncio.gather(*[_read_some(one, n) for one, n in zip(begun, [*leaves, 99], strict=True)])
    await h.engine.end("over")
    receipts = h.receipts()
    assert len(receipts) == len(begun) == len({receipt.id for receipt in receipts})
    assert sum(1 for receipt in receipts if receipt.attempts) == len(h.upstream.calls)
    await h.runtime.close()


async def _read_some(handled: object, blocks: int) -> None:
    assert isinstance(handled, Relay)
    if blocks:
        reply_ = await handled.reply()
        while reply_.more and blocks > 1 and await handled.read():
            blocks -= 1
    handled.close()
    handled.close()


async def test_who_waits_longer_does_not_fail_with_a_hurried_caller(house: MakeHouse) -> None:
    answer = reply(json=chat_json("worth the wait"))
    h = await house(then=lambda call: fail("timeout") if 0 < call.within_s < 1 else answer)
    hurried = await h.begin("q", headers={"x-pennyworth-timeout": "0.5"})
    patient, as_hurried = await h.begin("q"), await h.begin("q", headers={"x-pennyworth-timeout": "0.5"})
    heard = [await hear(one) for one in (hurried, patient, as_hurried)]
    assert [one.status for one in heard] == [502, 200, 200]
    assert len(h.upstream.calls) == 2


async def test_who_comes_after_a_reload_joins_no_call_of_before(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house(
        [reply(500, json=error_json("broken"), head=gate)],
        then=lambda call: reply(json=chat_json(call.target.model)),
        routes=(Route(fallbacks=("gpt-4.1",)),),
    )
    before = await h.begin("q")
    await h.upstream.until_calls(1)
    plan, book = msgspec.structs.replace(h.runtime.state.plan, routes=()), h.runtime.state.terms.rates.book
    h.runtime.adopt(make_terms(plan, book))
    after = await h.begin("q")
    gate.set()
    assert [(await hear(one)).text for one in (before, after)] == ["gpt-4.1", "gpt-4o-mini"]
