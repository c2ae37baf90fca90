"""Embeddings through the whole engine: each item is kept by itself, and a batch pays for what is new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pennyworth.clients import Allowance
from pennyworth.decide import invalidate
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.engine.together import SLICE
from pennyworth.plan import CacheSpec, Lifetime, Route
from pennyworth.request import Caller
from pennyworth.testing.scripted import Entry, error_json, fail, reply
from pennyworth.wire import embeddings
from tests.engine.conftest import AGAIN, Heard, House, hear, open_house
from tests.engine.embedding import MODEL, PICO, answer, asked, provider, tokens_of, vector, vectors_of
from tests.engine.test_allowances import budget, plan

QUICK = (Lifetime(name="embedding", ttl_s=3600.0, max_s=3600.0), Lifetime(name="other", ttl_s=60.0, max_s=60.0))
"""So few classes that an engine is made in a moment."""

ANYBODY = Caller("local")

Make = Callable[..., House]


@pytest.fixture
async def house() -> AsyncIterator[Make]:
    opened: list[House] = []

    def make(script: list[Entry] | None = None, *, then: Entry | None = None, **settings: Any) -> House:
        opened.append(open_house(script or [], then=then or provider(), **{"lifetimes": QUICK, **settings}))
        return opened[-1]

    yield make
    for one in opened:
        await one.runtime.close()
        assert not one.upstream.open_exchanges
        assert len(one.engine.flights) == 0


async def begin(
    h: House,
    given: Any,
    *,
    caller: Caller = ANYBODY,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Reply | Relay:
    body = {"model": MODEL, "input": given, **fields}
    raw = json.dumps(body, ensure_ascii=False).encode()
    return await h.engine.handle(embeddings.read_request(raw, headers or {}, caller, vary=("openai-beta",)))


async def embed(h: House, given: Any, **more: Any) -> Heard:
    return await hear(await begin(h, given, **more))


def given(heard: Heard) -> list[Any]:
    """The vectors, each at its place."""
    assert heard.status == 200, heard.body
    data = json.loads(heard.body)["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["embedding"] for item in data]


def right(items: list[Any], **more: Any) -> list[Any]:
    return [vector(item, **more) for item in items]


async def test_a_batch_with_one_new_text_pays_for_one(house: Make) -> None:
    h = house()
    await embed(h, ["one", "two", "three"])
    heard = await embed(h, ["one", "four!", "three", "two"])
    assert given(heard) == right(["one", "four!", "three", "two"])
    assert [asked(call) for call in h.upstream.calls] == [["one", "two", "three"], ["four!"]]
    receipt = h.last()
    assert receipt.served == "partial"
    assert receipt.spent.pico == PICO * tokens_of("four!")
    assert receipt.would_have_cost.pico == PICO * sum(map(tokens_of, ["one", "four!", "three", "two"]))
    assert list(receipt.saved) == ["exact"]
    assert receipt.reason == "3 of 4 items were kept"
    assert heard.cache.startswith("pennyworth; fwd=partial")


async def test_a_batch_that_is_kept_whole_costs_nothing(house: Make) -> None:
    h = house()
    first = await embed(h, ["one", "two"])
    heard = await embed(h, ["two", "one"])
    assert given(heard) == right(["two", "one"])
    assert json.loads(heard.body)["usage"] == json.loads(first.body)["usage"]
    assert json.loads(heard.body)["model"] == MODEL
    assert len(h.upstream.calls) == 1
    miss, hit = h.receipts()
    assert (miss.served, miss.spent, miss.would_have_cost) == ("upstream", miss.would_have_cost, miss.spent)
    assert miss.spent.pico == PICO * sum(map(tokens_of, ["one", "two"]))
    assert (hit.served, hit.spent.pico, hit.saved) == ("exact", 0, {"exact": miss.spent})
    assert hit.kind == "embedding"
    assert heard.cache.startswith("pennyworth; hit; ttl=")


async def test_it_is_found_at_once_without_a_task(house: Make) -> None:
    h = house()
    await embed(h, ["one", "two"])
    assert isinstance(await begin(h, ["two", "one"]), Reply)
    request = embeddings.read_request(
        json.dumps({"model": MODEL, "input": ["two", "one"]}).encode(), {}, Caller("local")
    )
    assert isinstance(h.engine.begin(request), Reply)


@pytest.mark.parametrize("alone", ["text", [3, 14, 15]])
async def test_an_item_is_the_same_alone_and_in_a_batch(house: Make, alone: Any) -> None:
    h = house()
    other: Any = "other" if isinstance(alone, str) else [1]
    first = await embed(h, alone)
    assert given(await embed(h, [alone])) == given(first) == right([alone])
    assert given(await embed(h, [other, alone])) == right([other, alone])
    assert given(await embed(h, other)) == right([other])
    assert [asked(call) for call in h.upstream.calls] == [[alone], [other]]


async def test_the_live_reply_is_passed_on_as_it_came_and_a_single_one_is_given_again_byte_for_byte(
    house: Make,
) -> None:
    raw = b'{\n "id": "emb-1", "data": [ {"index": 0, "embedding": [0.10, -1e-3], "object": "embedding"} ],\n'
    raw += b' "model": "m-1", "usage": {"prompt_tokens": 3, "total_tokens": 3}\n}\n'
    h = house([reply(json=raw)])
    assert (await embed(h, "x")).body == raw
    assert (await embed(h, "x")).body == raw
    batch = await embed(h, ["y", "x"])
    assert len(h.upstream.calls) == 3  # y is another model's: the batch was asked whole
    assert given(batch) == right(["y", "x"])


async def test_the_lexemes_of_numbers_are_kept(house: Make) -> None:
    body = {"model": MODEL, "input": ["a", "b"]}
    raw = json.dumps(answer(body)).replace("[0.", "[0.00000000000000000000001, 1E+5, 0.").encode()
    h = house([reply(json=raw)])
    first = await embed(h, ["a", "b"])
    again = await embed(h, ["b", "a"])
    assert again.body.count(b"[0.00000000000000000000001,") == first.body.count(b"[0.00000000000000000000001,") == 2
    assert again.body.count(b" 1E+5,") == 2


async def test_what_stands_twice_is_asked_once_and_costs_once(house: Make) -> None:
    h = house()
    heard = await embed(h, ["a", "bb", "a", "a"])
    assert given(heard) == right(["a", "bb", "a", "a"])
    assert asked(h.upstream.calls[0]) == ["a", "bb"]
    receipt = h.last()
    assert receipt.spent.pico == PICO * (2 + 3)
    assert receipt.would_have_cost.pico == PICO * json.loads(heard.body)["usage"]["prompt_tokens"]
    assert json.loads(heard.body)["usage"]["prompt_tokens"] > 2 + 3
    assert receipt.saved == {"exact": receipt.would_have_cost - receipt.spent}


async def test_only_input_differs_in_what_is_sent(house: Make) -> None:
    h = house()
    form = b'{ "user":"u\\u0041", "input" : %b,\n"model":"text-embedding-3-small", "future": [1.0, 2e3] }'
    for body in (form % b'"kept"', form % b'[ "kept" , "n\\u00e9w" ,"kept"]'):
        heard = await hear(await h.engine.handle(embeddings.read_request(body, {}, Caller("local"))))
    assert given(heard) == right(["kept", "néw", "kept"])
    assert h.upstream.calls[1].body == form % b'["n\\u00e9w"]'


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("another scope", {"caller": Caller("else")}),
        ("another model", {"model": "text-embedding-3-large"}),
        ("dimensions", {"dimensions": 3}),
        ("encoding", {"encoding_format": "base64"}),
        ("a field nobody knows", {"input_type": "query"}),
        ("a header that changes answers", {"headers": {"openai-beta": "x"}}),
    ],
)
async def test_nothing_is_given_to_who_asks_otherwise(house: Make, name: str, other: dict[str, Any]) -> None:
    h = house()
    await embed(h, ["a", "b"])
    heard = await embed(h, ["b", "c"], **other)
    assert asked(h.upstream.calls[1]) == ["b", "c"], name
    assert given(heard) == vectors_of(json.loads(h.upstream.calls[1].body))


async def test_who_asks_and_how_fast_does_not_matter(house: Make) -> None:
    h = house()
    await embed(h, ["a", "b"], user="u1")
    await embed(h, ["b", "a"], user="u2", service_tier="flex", metadata={"x": "y"})
    assert len(h.upstream.calls) == 1


ERROR = json.loads(error_json("overloaded"))

WRONG: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("too few", lambda body: {**answer(body), "data": answer(body)["data"][1:]}),
    ("too many", lambda body: {**answer(body), "data": [*answer(body)["data"], answer(body)["data"][0]]}),
    ("an index twice", lambda body: {**answer(body), "data": [{**one, "index": 0} for one in answer(body)["data"]]}),
    ("an index too large", lambda body: {**answer(body), "data": [{**one, "index": one["index"] + 1} for one in answer(body)["data"]]}),
    ("an empty vector", lambda body: {**answer(body), "data": [{**one, "embedding": []} for one in answer(body)["data"]]}),
    ("an empty text", lambda body: {**answer(body), "data": [{**one, "embedding": ""} for one in answer(body)["data"]]}),
    ("null for a vector", lambda body: {**answer(body), "data": [{**one, "embedding": None} for one in answer(body)["data"]]}),
    ("no data", lambda body: {"object": "list", "model": body["model"]}),
    ("an error within", lambda body: {**answer(body), "error": {"message": "overloaded"}}),
    ("an error alone", lambda _: ERROR),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=[name for name, _ in WRONG])
async def test_what_is_no_answer_is_passed_on_as_it_came_and_never_kept(
    house: Make, name: str, wrong: Callable[[dict[str, Any]], Any]
) -> None:
    body = {"model": MODEL, "input": ["a", "b"]}
    h = house([reply(json=wrong(body))])
    heard = await embed(h, ["a", "b"])
    assert (heard.status, json.loads(heard.body)) == (200, wrong(body))
    assert given(await embed(h, ["a", "b"])) == right(["a", "b"])
    assert len(h.upstream.calls) == 2


@pytest.mark.parametrize(("name", "wrong"), WRONG[:8], ids=[name for name, _ in WRONG[:8]])
async def test_where_the_missing_items_come_wrong_the_whole_batch_is_asked(
    house: Make, name: str, wrong: Callable[[dict[str, Any]], Any]
) -> None:
    h = house()
    await embed(h, ["a", "b"])
    h.upstream.play(reply(json=wrong({"model": MODEL, "input": ["c", "d"]})))
    heard = await embed(h, ["a", "c", "d"])
    assert given(heard) == right(["a", "c", "d"])
    assert [asked(call) for call in h.upstream.calls[1:]] == [["c", "d"], ["a", "c", "d"]]
    receipt = h.last()
    assert len(receipt.attempts) == 2
    assert receipt.served == "upstream"
    assert receipt.spent == receipt.attempts[0].spent + receipt.attempts[1].spent


async def test_vectors_of_two_models_never_stand_in_one_reply(house: Make) -> None:
    h = house()
    await embed(h, ["a", "b"])
    renamed = provider(lambda body: reply(json=answer(body, model=f"{MODEL}-v2")))
    h.upstream.play(renamed, renamed)
    heard = await embed(h, ["a", "c"])
    assert [asked(call) for call in h.upstream.calls[1:]] == [["c"], ["a", "c"]]
    assert json.loads(heard.body)["model"] == f"{MODEL}-v2"
    h.upstream.play(renamed)
    await embed(h, ["a", "b", "c"])  # b is the old one's still
    assert asked(h.upstream.calls[-1]) == ["b"]
    assert h.last().served == "partial"


async def test_a_fallback_is_asked_for_the_whole_batch(house: Make) -> None:
    h = house(routes=(Route(fallbacks=("text-embedding-3-large",)),))
    await embed(h, ["a", "b"])
    h.upstream.play(reply(500, json=error_json("down")))
    heard = await embed(h, ["a", "c"])
    assert given(heard) == right(["a", "c"], model="text-embedding-3-large")
    assert [asked(call) for call in h.upstream.calls[1:]] == [["c"], ["a", "c"]]
    assert h.last().served == "upstream"
    assert heard.cache == "pennyworth; fwd=miss"
    await embed(h, ["a", "c"])
    assert asked(h.upstream.calls[-1]) == ["c"]  # what the fallback said is kept under nobody's name


async def test_errors_and_retries_are_those_of_the_missing_part(house: Make) -> None:
    h = house(persistence=AGAIN)
    await embed(h, "a")
    h.upstream.play(reply(503, json=error_json("later")))
    heard = await embed(h, ["a", "b"])
    assert given(heard) == right(["a", "b"])
    assert [note.status for note in h.last().attempts] == [503, 200]
    h.upstream.play(reply(400, json=error_json("too long")))
    refused = await embed(h, ["a", "c"])
    assert (refused.status, json.loads(refused.body)) == (400, json.loads(error_json("too long")))
    assert h.last().served == "none"
    assert given(await embed(h, ["a", "c"])) == right(["a", "c"])


async def test_identical_batches_in_flight_share_one_call(house: Make) -> None:
    held = asyncio.Event()
    body = {"model": MODEL, "input": ["b"]}
    h = house([provider(), reply(json=answer(body), head=held)])
    await embed(h, "a")
    first, second = await begin(h, ["a", "b"]), await begin(h, ["a", "b"])
    await h.upstream.until_calls(2)
    held.set()
    one, two = await asyncio.gather(hear(first), hear(second))
    assert given(one) == given(two) == right(["a", "b"])
    assert len(h.upstream.calls) == 2
    assert sorted(receipt.served for receipt in h.receipts()) == ["coalesced", "partial", "upstream"]
    (shared,) = [receipt for receipt in h.receipts() if receipt.served == "coalesced"]
    assert shared.saved == {"coalesced": shared.would_have_cost}
    assert shared.would_have_cost.pico == PICO * 4


async def test_cache_control_is_obeyed_item_by_item(house: Make) -> None:
    h = house()
    assert (await embed(h, ["a"], headers={"cache-control": "only-if-cached"})).status == 504
    await embed(h, ["a", "b"], headers={"cache-control": "no-store"})
    await embed(h, ["a"])
    assert len(h.upstream.calls) == 2
    assert (await embed(h, ["a", "b"], headers={"cache-control": "only-if-cached"})).status == 504
    h.clock.now_s += 60
    await embed(h, ["b"])
    await embed(h, ["a", "b"], headers={"cache-control": "max-age=30"})
    assert asked(h.upstream.calls[-1]) == ["a"]
    await embed(h, ["a", "b"], headers={"cache-control": "no-cache"})
    assert asked(h.upstream.calls[-1]) == ["a", "b"]
    hit = await embed(h, ["a", "b"], headers={"cache-control": "only-if-cached"})
    assert given(hit) == right(["a", "b"])


async def test_a_purge_and_the_kill_switch_work(house: Make) -> None:
    h = house()
    await embed(h, "a")
    key = h.last().key
    await embed(h, ["b", "c"], headers={"x-pennyworth-tags": "t"})
    h.engine.keeper.change(lambda control: invalidate.purge(control, "key", key, 0.0))
    await embed(h, ["a", "b"])
    assert asked(h.upstream.calls[-1]) == ["a"]
    h.engine.keeper.change(lambda control: invalidate.purge(control, "tag", "t", 0.0))
    await embed(h, ["a", "b", "c"])
    assert asked(h.upstream.calls[-1]) == ["b", "c"]
    h.engine.keeper.change(invalidate.disable)
    await embed(h, ["a", "a"])
    assert asked(h.upstream.calls[-1]) == ["a", "a"]


async def test_lives_end_item_by_item_and_stale_ones_stand_in_for_an_error(house: Make) -> None:
    h = house(routes=(Route(stale_if_error_s=7200.0),))
    await embed(h, "a")
    h.clock.now_s += 3000
    await embed(h, "b")
    h.clock.now_s += 1000
    h.upstream.play(fail("connect"))
    heard = await embed(h, ["a", "b"])
    assert asked(h.upstream.calls[-1]) == ["a"]
    assert given(heard) == right(["a", "b"])
    assert h.last().served == "stale"
    assert h.last().saved == {"stale": h.last().would_have_cost}
    h.upstream.play(fail("connect"))
    assert (await embed(h, ["a", "new"])).status == 502


@pytest.mark.parametrize("more", [[], ["new"]], ids=["kept whole", "kept in part"])
async def test_items_earn_life_in_batches_where_the_operator_lets_them(house: Make, more: list[str]) -> None:
    h = house(lifetimes=(Lifetime(name="embedding", ttl_s=100.0, max_s=1000.0), QUICK[1]))
    await embed(h, ["a", "b", "c"])
    for number in range(3):
        await embed(h, ["a", "b", *[f"{one} {number}" for one in more]])
    h.clock.now_s += 120
    await embed(h, ["a", "b", "c"])
    assert asked(h.upstream.calls[-1]) == ["c"]


async def test_what_is_purged_while_it_is_on_its_way_is_not_kept(house: Make) -> None:
    held = asyncio.Event()
    h = house([reply(json=answer({"model": MODEL, "input": ["a", "b"]}), head=held)])
    first = await begin(h, ["a", "b"])
    await h.upstream.until_calls(1)
    h.engine.keeper.change(lambda control: invalidate.purge(control, "all", "", 0.0))
    held.set()
    assert given(await hear(first)) == right(["a", "b"])
    await embed(h, ["b"])
    assert len(h.upstream.calls) == 2


async def test_an_idempotency_key_gives_the_first_result_again(house: Make) -> None:
    h = house()
    await embed(h, "a")
    once = {"idempotency-key": "k1"}
    first = await embed(h, ["a", "b"], headers=once)
    again = await embed(h, ["a", "b"], headers=once)
    assert first.body == again.body
    assert h.last().served == "replayed"
    assert len(h.upstream.calls) == 2


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (lambda body: answer({**body, "input": ["b", "c"]}), "2 vectors came, 1 were asked for"),
        (lambda body: answer(body, model="other"), "what came for the missing items cannot be put with the kept ones"),
    ],
)
async def test_with_an_idempotency_key_no_second_call_is_paid_for(
    house: Make, wrong: Callable[[dict[str, Any]], Any], fault: str
) -> None:
    h = house()
    await embed(h, "a")
    h.upstream.play(reply(json=wrong({"model": MODEL, "input": ["b"]})))
    refused = await embed(h, ["a", "b"], headers={"idempotency-key": "k2"})
    assert refused.status == 502
    assert json.loads(refused.body)["error"]["code"] == "upstream_broken"
    assert fault in json.loads(refused.body)["error"]["message"]
    assert len(h.upstream.calls) == 2


async def test_objects_among_the_items_are_passed_on_and_never_kept(house: Make) -> None:
    item = {"image": "https://example.com/cat.png"}
    body = {"model": MODEL, "input": ["a", item]}
    right_one = reply(json={**answer({"model": MODEL, "input": ["a", "b"]})})
    h = house([right_one, right_one])
    for _ in range(2):
        assert (await embed(h, ["a", item])).status == 200
    assert [json.loads(call.body) for call in h.upstream.calls] == [body, body]
    assert "object" in h.last().reason


async def test_the_texts_own_subject_does_not_shorten_its_life(house: Make) -> None:
    h = house(lifetimes=(*QUICK[:1], Lifetime(name="now", ttl_s=0.0, max_s=0.0, patterns=("gold",)), QUICK[1]))
    await embed(h, "the price of gold right now")
    await embed(h, "the price of gold right now")
    assert len(h.upstream.calls) == 1


async def test_a_provider_that_counts_nothing_is_estimated(house: Make) -> None:
    silent = provider(lambda body: reply(json={**answer(body), "usage": None}))
    h = house(then=silent)
    await embed(h, ["some words to count", "and some more of them"])
    miss = h.last()
    assert (miss.basis, miss.spent) == ("estimated", miss.would_have_cost)
    assert miss.spent
    await embed(h, ["and some more of them", "some words to count"])
    assert h.last().saved == {"exact": miss.spent}
    await embed(h, ["some words to count", "new ones"])
    assert (h.last().basis, h.last().would_basis) == ("estimated", "estimated")
    assert h.last().spent < h.last().would_have_cost


async def test_each_vector_has_to_be_small_enough_to_be_kept_not_all_of_them(house: Make) -> None:
    size = len(json.dumps(answer({"model": MODEL, "input": ["a"], "dimensions": 64})))
    h = house(cache=CacheSpec(max_answer_bytes=size))
    await embed(h, [f"{number}" for number in range(20)], dimensions=64)
    await embed(h, ["7", "3"], dimensions=64)
    assert len(h.upstream.calls) == 1
    await embed(h, ["7", "3"], dimensions=128)
    await embed(h, ["7", "3"], dimensions=128)
    assert len(h.upstream.calls) == 3


async def test_who_wants_fresher_items_does_not_share_a_call_that_leaves_them_out(house: Make) -> None:
    held = asyncio.Event()
    late = reply(json=answer({"model": MODEL, "input": ["b"]}), head=held)
    h = house([provider(), late])
    await embed(h, "a")
    h.clock.now_s += 60
    first = await begin(h, ["a", "b"])
    await h.upstream.until_calls(2)
    second = asyncio.ensure_future(embed(h, ["a", "b"], headers={"cache-control": "max-age=30"}))
    async with asyncio.timeout(10):
        await h.upstream.until_calls(3)
    assert asked(h.upstream.calls[2]) == ["a", "b"]
    held.set()
    assert given(await hear(first)) == given(await second) == right(["a", "b"])


@pytest.mark.parametrize("missing", [1, 70, 200])
async def test_a_large_batch_lets_others_have_their_turn(house: Make, missing: int) -> None:
    h = house()
    items = [f"text {number}" for number in range(200)]
    await embed(h, items)
    turns, running = 0, True

    async def others() -> None:
        nonlocal turns
        while running:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(others())
    asked_now = [*items[missing:], *[f"new {number}" for number in range(missing)]]
    assert given(await embed(h, asked_now)) == right(asked_now)
    assert turns >= 200 // SLICE
    assert h.troubles == []
    running = False
    await other
    assert len(asked(h.upstream.calls[-1])) == missing


async def test_a_budget_need_only_hold_what_is_missing(house: Make) -> None:
    """A key that could not pay for the whole batch may ask for the one text that is new."""
    h = house(**plan(own=budget(7_600_000)))
    who = Caller("s", client="alice", team="search")
    items = [f"a text of some length, number {number}" for number in range(6)]
    for item in items:
        assert (await embed(h, item, caller=who)).status == 200
    assert given(await embed(h, [*items, "new"], caller=who)) == right([*items, "new"])
    refused = await embed(h, [f"{item}!" for item in items], caller=who)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (429, "insufficient_quota")


@pytest.mark.parametrize(
    "limit", [budget(1_000_000, at_limit="downgrade", downgrade_to="text-embedding-3-large"),
              Allowance(requests_per_minute=1, at_limit="downgrade", downgrade_to="text-embedding-3-large")],
    ids=["money", "rate"],
)  # fmt: skip
async def test_beyond_a_limit_no_other_model_is_asked_for_vectors(house: Make, limit: Allowance) -> None:
    h = house([provider()], then=provider(), **plan(own=limit))
    who = Caller("s", client="alice", team="search")
    bob = Caller("s", client="bob", team="search")
    await embed(h, "kept", caller=bob)
    first = await embed(h, "kept", caller=who)
    assert given(first) == right(["kept"])
    refused = await embed(h, "a new text of some length, too dear for what is left", caller=who)
    assert refused.status == 429
    assert given(await embed(h, "kept", caller=who)) == right(["kept"])
    assert len(h.upstream.calls) == 1
