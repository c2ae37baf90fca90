"""Retries, rests, fallbacks, queues and hedges, as the dialogue of an engine with a scripted provider."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennyworth.decide import breaker
from pennyworth.engine.health import TargetHealth
from pennyworth.engine.relay import Relay
from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.lines import from_line
from pennyworth.outcome import Intent, Receipt
from pennyworth.plan import Persistence, Provider, Route
from pennyworth.ports import Call
from pennyworth.secret import Secret
from pennyworth.testing.scripted import Entry, chat_events, chat_json, error_json, event, fail, reply, stream
from tests.engine.conftest import AGAIN, MakeHouse, hear

GOOD = reply(json=chat_json("fine", usage=(9, 2)))
DOWN = reply(503, json=error_json("down"))
BROKE = reply(429, json=error_json("You exceeded your current quota", code="insufficient_quota"))
STREAM = stream(chat_events(["a", "b"], usage=(9, 2)))
OVERLOADED = stream([event(b'{"error":{"type":"overloaded_error","message":"Overloaded"}}')])

SILENT = fail("timeout", "it timed out after 0.2 s")

TWO = (
    Provider(name="openai", base_url="http://a/v1", credential=Secret("k"), models=("gpt-*",), price_provider="openai", persistence=AGAIN),
    Provider(name="other", base_url="http://b/v1", credential=Secret("k"), models=("o3*", "gpt-4.1"), price_provider="openai", persistence=AGAIN),
)  # fmt: skip
CHAIN = {"providers": TWO, "routes": (Route(fallbacks=("other/gpt-4.1",)),)}


def asked(h: Any) -> list[str]:
    return [call.target.name for call in h.upstream.calls]


@pytest.mark.parametrize("failure", [DOWN, reply(429, json=error_json("slow down")), fail("connect"), fail("reset"), OVERLOADED,
                                     stream([chat_events(["x"])[0], fail("reset")])])  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_may_pass_is_asked_again_and_the_caller_sees_nothing_of_it(
    house: MakeHouse, failure: Entry, streamed: bool
) -> None:
    h = await house([failure, failure, STREAM if streamed else GOOD], persistence=AGAIN)
    heard = await h.ask("q", stream=streamed)
    assert (heard.status, heard.text) == (200, "ab" if streamed else "fine")
    receipt = h.last()
    assert [note.why for note in receipt.attempts] == ["", "retry 1", "retry 2"]
    assert (receipt.served, receipt.ending) == ("upstream", "complete")
    assert (await h.ask("q", stream=streamed)).cache.startswith("pennyworth; hit")


async def test_after_the_last_try_the_providers_own_error_is_what_the_caller_reads(house: MakeHouse) -> None:
    h = await house(then=DOWN, persistence=AGAIN)
    heard = await h.ask("q")
    assert (heard.status, heard.body) == (503, error_json("down"))
    assert len(h.upstream.calls) == 3


@pytest.mark.parametrize("failure", [fail("timeout"), fail("malformed"), reply(400, json=error_json("bad")), reply(401, json=error_json("who"))])  # fmt: skip
async def test_what_asking_again_cannot_mend_is_asked_once(house: MakeHouse, failure: Entry) -> None:
    h = await house([failure], persistence=AGAIN)
    assert (await h.ask("q")).status >= 400
    assert len(h.upstream.calls) == 1


async def test_a_stream_that_has_begun_is_never_asked_again(house: MakeHouse) -> None:
    h = await house([stream([*chat_events(["a"])[:2], fail("reset")])], **CHAIN)
    heard = await h.ask("q", stream=True)
    assert heard.status == 200
    assert heard.text == "a"
    assert b'"error"' in heard.body
    assert h.last().ending == "cut"
    assert asked(h) == ["openai/gpt-4o-mini"]


async def test_an_error_event_that_nothing_mends_reaches_the_caller_as_it_came(house: MakeHouse) -> None:
    h = await house(then=OVERLOADED, persistence=AGAIN)
    heard = await h.ask("q", stream=True)
    assert (heard.status, b"Overloaded" in heard.body) == (200, True)
    assert (h.last().ending, len(h.upstream.calls)) == ("error", 3)


async def test_a_pause_longer_than_the_caller_waits_is_not_begun(house: MakeHouse) -> None:
    slow = reply(503, json=error_json("down"), headers={"retry-after": "5"})
    h = await house([slow], persistence=Persistence(pause_s=0.001))
    began = asyncio.get_running_loop().time()
    heard = await h.ask("q", headers={"x-stainless-read-timeout": "2"})
    assert (heard.status, heard.headers["retry-after"]) == (503, "5")
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_in_an_outage_the_provider_is_left_alone_and_callers_are_told_when_to_come_back(house: MakeHouse) -> None:
    h = await house(then=DOWN, persistence=Persistence(pause_s=0.0, trip_after=4, rest_s=60))
    heard = [await h.ask(f"q{i}") for i in range(200)]
    assert len(h.upstream.calls) <= 1.1 * 200
    assert len(h.upstream.calls) == 4
    assert {one.status for one in heard} == {503}
    assert 1 <= int(heard[-1].headers["retry-after"]) <= 60
    assert b"openai/gpt-4o-mini was not asked: 4 calls in a row failed" in heard[-1].body
    assert h.last().attempts == ()
    assert any("it rests" in trouble for trouble in h.troubles)


async def test_a_flapping_provider_gets_no_more_than_a_tenth_more_calls_than_requests(house: MakeHouse) -> None:
    turns = [DOWN, DOWN, GOOD] * 400
    h = await house(turns, then=GOOD, persistence=Persistence(pause_s=0.0))
    for i in range(600):
        await h.ask(f"q{i}")
    assert len(h.upstream.calls) <= 1.1 * 600 + 10


async def test_when_a_rest_is_over_one_request_finds_out_for_all(house: MakeHouse) -> None:
    h = await house([DOWN, GOOD], then=GOOD, persistence=Persistence(tries=1, trip_after=1, rest_s=0.05))
    assert (await h.ask("a")).status == 503
    assert (await h.ask("b")).status == 503
    assert len(h.upstream.calls) == 1
    await asyncio.sleep(0.06)
    gate = asyncio.Event()
    h.upstream._script[:] = [reply(json=chat_json("well"), head=gate)]
    first = asyncio.create_task(hear(await h.begin("c")))
    await h.upstream.until_calls(2)
    assert (await h.ask("d")).status == 503
    gate.set()
    assert (await first).text == "well"
    assert (await h.ask("e")).text == "fine"


async def test_the_next_in_the_chain_answers_when_the_asked_one_fails(house: MakeHouse) -> None:
    h = await house([DOWN, DOWN, DOWN, GOOD], **CHAIN)
    heard = await h.ask("q")
    assert (heard.status, heard.text) == (200, "fine")
    assert heard.headers["x-pennyworth-model"] == "other/gpt-4.1"
    assert asked(h) == ["openai/gpt-4o-mini"] * 3 + ["other/gpt-4.1"]
    receipt = h.last()
    assert (receipt.target, receipt.attempts[-1].why) == ("other/gpt-4.1", "fallback: openai/gpt-4o-mini failed")
    # The asked model's price is what it would have cost: a dearer fallback is a loss, and says so.
    assert receipt.saved["routing"].pico < 0
    assert balances(receipt)


async def test_a_fallbacks_answer_is_never_kept_under_the_asked_models_key(house: MakeHouse) -> None:
    h = await house([DOWN, DOWN, DOWN, GOOD, GOOD], **CHAIN)
    await h.ask("q")
    assert not (await h.ask("q")).cache.startswith("pennyworth; hit")
    assert asked(h)[-1] == "openai/gpt-4o-mini"


async def test_if_nobody_in_the_chain_does_better_the_asked_ones_error_stands(house: MakeHouse) -> None:
    h = await house([reply(401, json=error_json("who are you")), DOWN, DOWN, DOWN], **CHAIN)
    heard = await h.ask("q")
    assert heard.status == 401
    assert b"openai/gpt-4o-mini refused our credential" in heard.body
    assert [note.target for note in h.last().attempts] == asked(h)


async def test_a_request_that_is_wrong_itself_is_not_asked_elsewhere(house: MakeHouse) -> None:
    h = await house([reply(400, json=error_json("no such parameter"))], **CHAIN)
    assert (await h.ask("q")).status == 400


async def test_an_account_without_money_is_told_of_once_and_all_its_models_fall_back(house: MakeHouse) -> None:
    h = await house([BROKE, GOOD, GOOD, GOOD], **CHAIN)
    for i, model in enumerate(("gpt-4o-mini", "gpt-4o-mini", "gpt-4o")):
        assert (await h.ask(f"q{i}", model=model)).text == "fine"
    assert asked(h) == ["openai/gpt-4o-mini"] + ["other/gpt-4.1"] * 3
    now = asyncio.get_running_loop().time()
    states = {seen.target: (seen.state, seen.resting_s > 0) for seen in h.runtime.state.healths.seen(now)}
    assert states == {
        "openai/gpt-4o-mini": ("exhausted", True),
        "openai/gpt-4o": ("exhausted", True),
        "other/gpt-4.1": ("well", False),
    }
    for _ in range(200):
        await asyncio.sleep(0.001)
    assert len([told for told in h.troubles if told.startswith("alert: the account at openai has no money left")]) == 1
    assert h.runtime.state.counters.alerts == {"account_exhausted": 1}


async def test_a_hurried_caller_who_was_to_find_out_about_an_account_leaves_it_to_the_next(
    house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "_EXHAUSTED_REST_S", 0.02)
    h = await house([BROKE, fail("timeout")], then=GOOD)
    assert (await h.ask("a")).status == 429
    await asyncio.sleep(0.03)
    assert (await h.ask("b", headers={"x-pennyworth-timeout": "0.5"})).status == 502
    assert (await h.ask("c")).text == "fine"


async def test_who_has_waited_in_vain_takes_nobodys_place_in_the_queue() -> None:
    health, spec = TargetHealth("openai/x"), Persistence(max_concurrency=1, max_waiting=1)
    health.offered(spec)
    assert health.enter_at_once()
    assert not await health.enter(spec, 0.001)
    waiting = asyncio.create_task(health.enter(spec, 30))
    await asyncio.sleep(0)
    health.leave()
    assert await waiting
    assert (health.under_way, health.seen(0.0).waiting) == (1, 0)


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_says_nothing_leaves_time_for_the_next(house: MakeHouse, streamed: bool) -> None:
    never = asyncio.Event()
    providers = tuple(msgspec.structs.replace(each, total_s=0.4, idle_s=0.4) for each in TWO)
    silent = [reply(json=chat_json("x"), head=never)] if streamed else [SILENT]
    h = await house([*silent, STREAM if streamed else GOOD], providers=providers, routes=CHAIN["routes"])
    heard = await h.ask("q", stream=streamed)
    assert (heard.status, heard.text) == (200, "ab" if streamed else "fine")
    assert asked(h) == ["openai/gpt-4o-mini", "other/gpt-4.1"]
    within = [call.within_s for call in h.upstream.calls]
    assert 0.1 < within[0] <= 0.2
    assert within[1] <= 0.4


async def test_a_leaving_caller_ends_a_pause_between_tries(house: MakeHouse) -> None:
    h = await house([DOWN], persistence=Persistence(pause_s=30))
    handled = await h.begin("q")
    assert isinstance(handled, Relay)
    await h.upstream.until_calls(1)
    await asyncio.sleep(0.01)
    handled.close()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (h.last().ending, h.last().status) == ("caller_left", 499)
    assert len(h.engine.flights) == 0


async def test_a_burst_queues_for_room_and_what_does_not_fit_is_told_at_once(house: MakeHouse) -> None:
    gates = [asyncio.Event() for _ in range(5)]
    h = await house(
        [reply(json=chat_json(str(i)), head=gate) for i, gate in enumerate(gates)],
        persistence=Persistence(max_concurrency=2, max_waiting=3, wait_s=30),
    )
    waiting = [asyncio.create_task(hear(await h.begin(f"q{i}"))) for i in range(5)]
    await h.upstream.until_calls(2)
    began = asyncio.get_running_loop().time()
    refused = await h.ask("one too many")
    assert asyncio.get_running_loop().time() - began < 1.0
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert b"2 calls are under way and 3 wait (providers.openai.calls" in refused.body
    assert len(h.upstream.calls) == 2
    for gate in gates:
        gate.set()
    assert sorted(one.text for one in await asyncio.gather(*waiting)) == ["0", "1", "2", "3", "4"]
    assert h.runtime.state.healths.seen(0.0)[0].under_way == 0


async def test_a_caller_who_leaves_the_queue_takes_nobodys_place(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([reply(json=chat_json("a"), head=gate), GOOD], persistence=Persistence(max_concurrency=1))
    first = asyncio.create_task(hear(await h.begin("a")))
    await h.upstream.until_calls(1)
    second, third = await h.begin("b"), asyncio.create_task(hear(await h.begin("c")))
    await asyncio.sleep(0.01)
    assert isinstance(second, Relay)
    second.close()
    gate.set()
    assert ((await first).text, (await third).text) == ("a", "fine")
    assert len(h.upstream.calls) == 2
    assert h.runtime.state.healths.seen(0.0)[0].under_way == 0


async def test_a_refused_burst_is_paced_by_what_the_provider_asks_for(house: MakeHouse) -> None:
    slow = reply(429, json=error_json("slow down"), headers={"retry-after": "0.3"})
    h = await house([slow], then=GOOD, persistence=Persistence(pause_s=0.001))
    assert (await h.ask("a")).text == "fine"
    began = asyncio.get_running_loop().time()
    h.upstream._script[:] = [slow]
    first = asyncio.create_task(hear(await h.begin("b")))
    await h.upstream.until_calls(3)
    await asyncio.sleep(0.01)
    assert (await h.ask("c")).text == "fine"  # queued until the provider takes calls again
    assert asyncio.get_running_loop().time() - began >= 0.29
    assert (await first).text == "fine"


async def test_a_limit_that_the_headers_call_used_up_is_waited_for(house: MakeHouse) -> None:
    last = reply(
        json=chat_json("a"), headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
    )
    h = await house([last, GOOD])
    await h.ask("a")
    assert h.runtime.state.healths.seen(0.0)[0].requests_left == 0
    began = asyncio.get_running_loop().time()
    assert (await h.ask("b")).text == "fine"
    assert asyncio.get_running_loop().time() - began >= 0.25


HEDGED = {"routes": (Route(hedge=True, sampled=True),)}


async def _warmed(house: MakeHouse, script: list[Entry]) -> Any:
    """With a target whose replies have been quick so far."""
    h = await house([GOOD] * 30 + script, **HEDGED)
    for i in range(30):
        await h.ask(f"warm {i}")
    return h


async def test_a_late_reply_is_asked_for_again_and_both_are_on_the_receipt(house: MakeHouse) -> None:
    never = asyncio.Event()
    h = await _warmed(house, [reply(json=chat_json("late"), head=never), GOOD])
    heard = await h.ask("q")
    assert heard.text == "fine"
    receipt = h.last()
    assert [(note.ending, note.why) for note in receipt.attempts] == [
        ("outrun", ""),
        ("complete", "hedge: the first call was late"),
    ]
    assert receipt.attempts[0].basis == "estimated"
    assert receipt.spent == receipt.attempts[0].spent + receipt.attempts[1].spent
    assert receipt.would_have_cost == receipt.attempts[1].spent
    assert balances(receipt)
    assert not h.upstream.open_exchanges


async def test_of_two_streams_the_first_to_begin_is_given_and_nothing_of_the_other(house: MakeHouse) -> None:
    gate, never = asyncio.Event(), asyncio.Event()
    slow = stream([*chat_events(["slow"])[:1], never, *chat_events(["slow"])[1:]])
    h = await house([STREAM] * 30 + [slow, stream([gate, *chat_events(["quick"], usage=(9, 1))])], **HEDGED)
    for i in range(30):
        await h.ask(f"warm {i}", stream=True)
    asking = asyncio.create_task(hear(await h.begin("q", stream=True)))
    await h.upstream.until_calls(32)
    gate.set()
    heard = await asking
    assert (heard.text, b"slow" in heard.body) == ("quick", False)
    assert [note.ending for note in h.last().attempts] == ["outrun", "complete"]
    assert not h.upstream.open_exchanges


async def test_a_hedge_that_fails_leaves_the_first_call_alone(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await _warmed(house, [reply(json=chat_json("late"), head=gate), DOWN])
    asking = asyncio.create_task(hear(await h.begin("q")))
    await h.upstream.until_calls(32)
    await asyncio.sleep(0.01)
    gate.set()
    assert (await asking).text == "late"
    assert sorted(note.ending for note in h.last().attempts) == ["complete", "error"]


async def test_a_caller_who_leaves_ends_both_calls(house: MakeHouse) -> None:
    never = asyncio.Event()
    h = await _warmed(house, [reply(json=chat_json("x"), head=never), reply(json=chat_json("y"), head=never)])
    handled = await h.begin("q")
    await h.upstream.until_calls(32)
    assert isinstance(handled, Relay)
    handled.close()
    for _ in range(20):
        await asyncio.sleep(0)
    assert (h.last().ending, len(h.last().attempts)) == ("caller_left", 2)
    assert len(h.engine.flights) == 0
    assert h.runtime.state.healths.seen(0.0)[0].under_way == 0


async def test_a_hedge_is_not_made_where_there_is_no_room_for_it(house: MakeHouse) -> None:
    gate = asyncio.Event()
    narrow = Persistence(tries=1, max_concurrency=1)
    late = reply(json=chat_json("late"), head=gate)
    h = await house([GOOD] * 30 + [late], then=DOWN, **HEDGED | {"persistence": narrow})
    for i in range(30):
        await h.ask(f"warm {i}")
    asking = asyncio.create_task(hear(await h.begin("q")))
    await asyncio.sleep(0.05)
    gate.set()
    assert (await asking).text == "late"
    assert len(h.upstream.calls) == 31
    assert h.runtime.state.healths.seen(0.0)[0].under_way == 0


@pytest.mark.parametrize("turns", range(8))
async def test_two_calls_that_are_ended_twice_over_are_booked_once(house: MakeHouse, turns: int) -> None:
    never = asyncio.Event()
    h = await _warmed(house, [reply(json=chat_json("x"), head=never), reply(json=chat_json("y"), head=never)])
    handled = await h.begin("q")
    assert isinstance(handled, Relay)
    await h.upstream.until_calls(32)
    handled.flight.abort("going down")
    for _ in range(turns):
        await asyncio.sleep(0)
    handled.flight.abort("going down")
    assert (await hear(handled)).status == 502
    assert (h.last().status, len(h.last().attempts)) == (502, 2)


async def test_a_defect_in_a_hedge_leaves_no_call_running_that_nobody_books(house: MakeHouse) -> None:
    def breaks(call: Call) -> Any:
        raise ZeroDivisionError

    h = await _warmed(house, [reply(json=chat_json("x"), head=asyncio.Event()), breaks])
    assert (await h.ask("q")).status == 502
    assert [note.ending for note in h.last().attempts] == ["cut"]
    assert h.runtime.state.healths.seen(0.0)[0].under_way == 0


async def test_nothing_is_hedged_unless_the_route_says_so(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await house([GOOD] * 30 + [reply(json=chat_json("late"), head=gate)])
    for i in range(30):
        await h.ask(f"warm {i}")
    asking = asyncio.create_task(hear(await h.begin("q")))
    await asyncio.sleep(0.05)
    gate.set()
    assert (await asking).text == "late"
    assert len(h.upstream.calls) == 31


@pytest.mark.parametrize("failure", [fail("reset"), reply(500, json=error_json("oops")), stream([fail("reset")])])
async def test_a_request_to_be_paid_for_once_is_asked_of_nobody_else_when_it_may_be_paid_for(
    house: MakeHouse, failure: Entry
) -> None:
    h = await house([failure], **CHAIN)
    assert (await h.ask("q", headers={"idempotency-key": "k1"})).status >= 500
    assert asked(h) == ["openai/gpt-4o-mini"]


@pytest.mark.parametrize("failure", [fail("connect"), reply(429, json=error_json("slow down")), DOWN])
async def test_what_was_surely_not_paid_for_is_asked_again_even_of_such_a_request(
    house: MakeHouse, failure: Entry
) -> None:
    h = await house([failure] * 3 + [GOOD], **CHAIN)
    assert (await h.ask("q", headers={"idempotency-key": "k2"})).text == "fine"
    assert asked(h)[-1] == "other/gpt-4.1"


async def test_a_request_to_be_paid_for_once_is_never_hedged(house: MakeHouse) -> None:
    gate = asyncio.Event()
    h = await _warmed(house, [reply(json=chat_json("late"), head=gate)])
    asking = asyncio.create_task(hear(await h.begin("q", headers={"idempotency-key": "k3"})))
    await asyncio.sleep(0.05)
    gate.set()
    assert (await asking).text == "late"
    assert len(h.upstream.calls) == 31


async def test_a_crash_in_a_later_call_leaves_word_of_what_the_earlier_ones_have_cost(
    house: MakeHouse, tmp_path: Path
) -> None:
    script = [stream([*chat_events(["x"])[:1], fail("reset")]), STREAM]
    h = await house(script, persistence=AGAIN, state_dir=str(tmp_path))
    assert (await h.ask("q", stream=True)).status == 200
    (segment,) = (tmp_path / "journal").iterdir()
    first, second, receipt = (from_line(line) for line in segment.read_bytes().splitlines())
    assert isinstance(first, Intent)
    assert isinstance(second, Intent)
    assert isinstance(receipt, Receipt)
    assert receipt.attempts[0].spent.pico > 0
    assert second.estimate == first.estimate + receipt.attempts[0].spent
