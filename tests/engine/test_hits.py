"""What is answered from the cache, and what never is."""

from __future__ import annotations

import json

import pytest

from pennyworth.decide import invalidate
from pennyworth.engine.passage import Reply
from pennyworth.plan import OFF, Route, Switch
from pennyworth.request import Caller
from pennyworth.testing.scripted import chat_events, chat_json, chat_usage, error_json, fail, reply, stream
from pennyworth.wire import chat
from tests.engine.conftest import MakeHouse

ANSWER = reply(json=chat_json("fine", usage=(120, 40)))


async def test_the_second_asking_costs_nothing_and_is_accounted(house: MakeHouse) -> None:
    h = await house([ANSWER])
    first, second = await h.ask("how are you?"), await h.ask("how are you?")
    assert (first.text, second.text) == ("fine", "fine")
    assert first.body == second.body
    assert len(h.upstream.calls) == 1
    paid, saved = h.receipts()
    assert (paid.served, saved.served) == ("upstream", "exact")
    assert paid.spent.pico == 120 * 150_000 + 40 * 600_000
    assert saved.saved == {"exact": paid.spent}
    assert saved.spent.pico == 0
    assert second.headers["x-pennyworth-saved"] == "0.000042"
    assert second.cache.startswith("pennyworth; hit; ttl=")


async def test_key_order_and_spacing_do_not_matter_but_values_do(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("a", max_tokens=5, top_p=0.5)
    await h.ask("a", top_p=0.5, max_tokens=5)
    assert len(h.upstream.calls) == 1
    await h.ask("a", max_tokens=6, top_p=0.5)
    await h.ask("a", max_tokens=5, top_p=0.5, seed=1)
    await h.ask("a", max_tokens=5, top_p=0.5, never_heard_of=True)
    assert len(h.upstream.calls) == 4


async def test_another_scope_never_gets_the_answer(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("for a")), reply(json=chat_json("for b"))])
    assert (await h.ask("who?", scope="a")).text == "for a"
    assert (await h.ask("who?", scope="b")).text == "for b"
    assert (await h.ask("who?", scope="a")).text == "for a"


async def test_an_answer_kept_from_json_is_given_as_events_and_the_other_way_round(house: MakeHouse) -> None:
    h = await house([ANSWER, stream(chat_events(["st", "reamed"], usage=(9, 2)))])
    await h.ask("one")
    events = await h.ask("one", stream=True)
    assert events.text == "fine"
    assert events.body.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in events.body
    assert b'"usage":{' in (await h.ask("one", stream=True, stream_options={"include_usage": True})).body
    await h.ask("two", stream=True)
    assert (await h.ask("two")).text == "streamed"
    assert len(h.upstream.calls) == 2


async def test_a_stream_is_replayed_byte_for_byte_as_the_caller_saw_it(house: MakeHouse) -> None:
    h = await house([stream(chat_events(["a", "b", "c"], usage=(9, 3)))])
    live, again = await h.ask("x", stream=True), await h.ask("x", stream=True)
    assert live.body == again.body
    assert b'"usage"' not in live.body
    assert json.loads(h.upstream.calls[0].body)["stream_options"] == {"include_usage": True}
    assert h.last().usage is not None
    assert h.last().usage.output == 3


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("an error", reply(500, json=error_json("boom"))),
        ("a rate limit", reply(429, json=error_json("slow down"))),
        ("length", reply(json=chat_json("cut", finish="length"))),
        ("a filter", reply(json=chat_json("", finish="content_filter"))),
        ("a tool call", reply(json=chat_json(None, finish="tool_calls", message={"tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}))),
        ("a refusal", reply(json=chat_json(None, message={"refusal": "I will not"}))),
        ("no finish reason", reply(json=chat_json("x", finish=None))),
        ("an answer that is no JSON", reply(body=b"<html>gateway timeout</html>")),
        ("[DONE] without a reason", stream(chat_events(["x"], finish=None))),
        ("a broken stream", stream([*chat_events(["x"])[:2], fail("reset")])),
        ("a road that fails", fail("connect")),
        ("data after [DONE]", stream([*chat_events(["x"]), b'data: {"error":{"message":"late"}}\n\n'])),
        ("an error event", stream([*chat_events(["x"])[:2], b'data: {"error":{"message":"overloaded"}}\n\n'])),
    ],
)  # fmt: skip
async def test_what_is_not_a_whole_good_answer_is_never_kept(house: MakeHouse, name: str, entry: object) -> None:
    h = await house([entry, ANSWER])
    await h.ask("q", stream=name != "an answer that is no JSON" and "stream" in str(getattr(entry, "headers", "")))
    assert (await h.ask("q")).text == "fine", name
    assert len(h.upstream.calls) == 2
    assert [receipt.served for receipt in h.receipts()][1] == "upstream"


async def test_explicit_sampling_is_neither_kept_nor_given_unless_the_route_says_so(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("dice", temperature=1)
    await h.ask("dice", temperature=1)
    assert len(h.upstream.calls) == 2
    assert h.runtime.state.counters.bypass_repeats == 1
    assert h.runtime.state.counters.bypass_would_have == h.last().would_have_cost.pico
    opted = await house(then=ANSWER, routes=(Route(sampled=True),))
    await opted.ask("dice", temperature=1)
    await opted.ask("dice", temperature=1)
    assert len(opted.upstream.calls) == 1


async def test_spaces_and_full_width_letters_hit_by_the_normal_form(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("how do I pay?")
    hit = await h.ask("how  do I\u00a0pay?")
    assert "detail=normalised" in hit.cache
    await h.ask("ＡＢＣ")  # the variant first, then the plain wording
    assert "detail=normalised" in (await h.ask("ABC")).cache
    assert "detail=exact" in (await h.ask("ＡＢＣ")).cache
    assert len(h.upstream.calls) == 2
    off = await house(then=ANSWER, switches={"normalised": OFF})
    await off.ask("ＡＢＣ")
    await off.ask("ABC")
    assert len(off.upstream.calls) == 2


async def test_real_time_questions_are_asked_each_time(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    for question in ("What is the weather in Hanoi right now?", "今天北京天气怎么样？", "Giá vàng hôm nay bao nhiêu?"):
        await h.ask(question)
        await h.ask(question)
    assert len(h.upstream.calls) == 6


async def test_life_ends_and_is_earned(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("Tell me about octopuses and their arms")
    h.clock.now_s += 3599
    assert "hit" in (await h.ask("Tell me about octopuses and their arms")).cache
    h.clock.now_s += 2
    await h.ask("Tell me about octopuses and their arms")
    assert len(h.upstream.calls) == 2
    for _ in range(10):
        await h.ask("Tell me about octopuses and their arms")
    h.clock.now_s += 3601  # asked often enough by now to live longer than its first hour
    assert "hit" in (await h.ask("Tell me about octopuses and their arms")).cache
    assert len(h.upstream.calls) == 2


async def test_cache_control_is_obeyed(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    assert (await h.ask("q", headers={"cache-control": "only-if-cached"})).status == 504
    await h.ask("q", headers={"cache-control": "no-store"})
    await h.ask("q")
    assert len(h.upstream.calls) == 2
    assert "hit" in (await h.ask("q", headers={"cache-control": "only-if-cached"})).cache
    await h.ask("q", headers={"cache-control": "no-cache"})
    assert len(h.upstream.calls) == 3
    h.clock.now_s += 60
    await h.ask("q", headers={"cache-control": "max-age=30"})
    assert len(h.upstream.calls) == 4


async def test_the_kill_switch_makes_a_plain_proxy_that_still_writes_receipts(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("q")
    h.engine.keeper.change(invalidate.disable)
    bypass = await h.ask("q")
    assert "fwd=bypass" in bypass.cache
    assert len(h.upstream.calls) == 2
    assert h.last().served == "upstream"
    h.engine.keeper.change(invalidate.enable)
    assert "hit" in (await h.ask("q")).cache


async def test_a_purge_kills_what_was_asked_before_it_even_on_its_way(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    purges = [("all", ""), ("model", "gpt-4o-mini"), ("scope", "local"), ("tag", "policy")]
    for by, value in purges:
        await h.ask("q", headers={"x-pennyworth-tags": "policy, shop"})
        calls = len(h.upstream.calls)
        assert "hit" in (await h.ask("q", headers={"x-pennyworth-tags": "policy, shop"})).cache
        h.engine.keeper.change(lambda row, by=by, value=value: invalidate.purge(row, by, value, h.clock.now_s))
        await h.ask("q", headers={"x-pennyworth-tags": "policy, shop"})
        assert len(h.upstream.calls) == calls + 1
    key = h.last().key
    h.engine.keeper.change(lambda row: invalidate.purge(row, "key", key, h.clock.now_s))
    assert "hit" not in (await h.ask("q")).cache


async def test_a_purge_by_key_reaches_the_answer_behind_its_other_wordings(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("a  b")
    key = h.last().key
    assert "hit" in (await h.ask("a b")).cache
    h.engine.keeper.change(lambda row: invalidate.purge(row, "key", key, h.clock.now_s))
    assert "hit" not in (await h.ask("a b")).cache


async def test_a_new_revision_or_fingerprint_never_gives_the_old_models_answer(house: MakeHouse) -> None:
    def answered(fingerprint: str) -> object:
        return reply(json=chat_json(fingerprint, more={"system_fingerprint": fingerprint}))

    h = await house(
        [answered("fp_1"), answered("fp_1"), answered("fp_2"), answered("fp_2")],
        routes=(Route(fingerprint_epochs=True),),
    )
    assert (await h.ask("a")).text == "fp_1"
    assert (await h.ask("a")).text == "fp_1"
    assert (await h.ask("b")).text == "fp_1"
    assert (await h.ask("c")).text == "fp_2"  # the upgrade shows: everything older is gone, and so is this one's key
    assert (await h.ask("a")).text == "fp_2"
    h.engine.keeper.change(lambda row: invalidate.bump_revision(row, "gpt-4o-mini"))
    assert h.upstream.left == 0


async def test_an_expired_answer_stands_in_for_a_failing_provider_where_allowed(house: MakeHouse) -> None:
    h = await house([ANSWER, reply(503, json=error_json("down"))], routes=(Route(stale_if_error_s=86400),))
    await h.ask("q")
    h.clock.now_s += 7200
    stale = await h.ask("q")
    assert (stale.status, stale.text) == (200, "fine")
    assert "ttl=-" in stale.cache
    assert (h.last().served, h.last().reason) == ("stale", "no kept answer")
    assert h.last().attempts[0].status == 503
    assert h.last().saved["stale"] == h.receipts()[0].spent


async def test_a_switch_at_half_takes_half_of_the_questions_always_the_same(house: MakeHouse) -> None:
    h = await house(then=ANSWER, switches={"exact": Switch(50.0), "normalised": OFF})
    for _ in range(2):
        for i in range(60):
            await h.ask(f"question {i}")
    hits = sum(receipt.served == "exact" for receipt in h.receipts()[60:])
    assert 15 <= hits <= 45
    before = len(h.upstream.calls)
    for i in range(60):
        await h.ask(f"question {i}")
    assert len(h.upstream.calls) - before == 60 - hits


async def test_usage_the_provider_did_not_give_is_estimated_and_says_so(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("some words here", usage=None))])
    await h.ask("how are you today my friend?")
    assert h.last().would_basis == "estimated"
    assert h.last().spent.pico > 0


async def test_a_model_without_a_price_is_forwarded_and_marked_never_free(house: MakeHouse) -> None:
    h = await house(then=reply(json=chat_json("x", model="mystery")))
    heard = await h.ask("q", model="mystery-9000")
    assert heard.headers["x-pennyworth-spent"] == "unpriced"
    assert h.last().would_basis == "unpriced"
    assert (await h.ask("q", model="mystery-9000")).headers["x-pennyworth-saved"] == "unpriced"


async def test_cached_and_reasoning_tokens_are_charged_as_such(house: MakeHouse) -> None:
    usage = chat_usage(2000, 100, cached=1024, reasoning=64)
    h = await house([reply(json=chat_json("x", usage=usage))])
    await h.ask("q")
    assert h.last().spent.pico == 976 * 150_000 + 1024 * 75_000 + 100 * 600_000


async def test_all_wordings_share_one_entry_and_each_switch_decides_for_itself(house: MakeHouse) -> None:
    h = await house(then=ANSWER)
    await h.ask("a  b ")
    assert "detail=exact" in (await h.ask("a  b ")).cache
    assert "detail=normalised" in (await h.ask("a b")).cache
    assert "detail=normalised" in (await h.ask(" a b")).cache
    assert len(h.upstream.calls) == 1
    assert h.runtime.parts.store.usage().entries == 1
    only = await house(then=ANSWER, switches={"exact": OFF})
    await only.ask("a  b ")
    assert "detail=normalised" in (await only.ask("a b")).cache
    assert "hit" not in (await only.ask("a  b ")).cache, "the same wording is the exact layer's business"


async def test_a_purge_by_the_key_on_any_hits_receipt_takes_the_answer_away(house: MakeHouse) -> None:
    for wording in ("a  b ", "a b", " a b"):
        h = await house(then=ANSWER)
        await h.ask("a  b ")
        assert "; hit;" in (await h.ask(wording)).cache
        key = h.last().key
        h.engine.keeper.change(lambda row, h=h, key=key: invalidate.purge(row, "key", key, h.clock.now_s))
        assert "; hit;" not in (await h.ask(wording)).cache


async def test_a_routes_own_lifetime_never_keeps_what_is_about_this_moment(house: MakeHouse) -> None:
    """Nor does it make a fact that may change last longer than its class allows."""
    h = await house(then=ANSWER, routes=(Route(ttl_s=7200.0),))
    for _ in range(2):
        assert "hit" not in (await h.ask("What is the weather in Hanoi right now?")).cache
    await h.ask("Who is the latest prime minister?")
    await h.ask("What do you sell?")
    h.clock.now_s += 3600
    assert "; hit;" in (await h.ask("What do you sell?")).cache
    assert "; hit;" not in (await h.ask("Who is the latest prime minister?")).cache


async def test_a_hit_in_memory_is_given_without_waiting(house: MakeHouse) -> None:
    """So that a door needs no task for it: what begins a request goes all the way."""
    h = await house(then=ANSWER)
    await h.ask("how are you?")
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "how are you?"}]}
    given = h.engine.begin(chat.read_request(json.dumps(body).encode(), {}, Caller("local")))
    assert isinstance(given, Reply)
    assert given.status == 200
