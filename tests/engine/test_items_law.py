"""The law of embeddings: whatever is kept already, any batch is the concatenation of its single items, at the price of
what nobody has asked for before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.engine.together import SLICE
from pennyworth.plan import Lifetime
from pennyworth.request import Caller
from pennyworth.testing.scripted import Reply, reply
from pennyworth.wire import embeddings
from tests.engine.conftest import House, hear, open_house
from tests.engine.embedding import MODEL, PICO, answer, asked, provider, tokens_of, vectors_of

QUICK = (Lifetime(name="embedding", ttl_s=3600.0, max_s=3600.0), Lifetime(name="other", ttl_s=60.0, max_s=60.0))

ITEM = st.sampled_from(["a", "b", "ab", "", "é", "[1]", "1", [1], [1, 2], [12], ["", 1][1:]])
WAYS: list[dict[str, Any]] = [
    {},
    {"dimensions": 3},
    {"encoding_format": "base64"},
    {"encoding_format": "float"},
    {"model": "text-embedding-3-large"},
    {"unheard_of": 1},
]


class Asking(NamedTuple):
    """A request. ``scope``: whose. ``way``: how else it is put."""

    items: list[Any]
    scope: str
    way: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        alone = len(self.items) == 1 and self.items[0] != ""
        return {"model": MODEL, "input": self.items[0] if alone else self.items, **self.way}

    def name(self, item: Any) -> str:
        """What its vector is of: nobody who asks for anything else may get it."""
        return json.dumps([self.scope, item, self.way])


ASKINGS = st.lists(
    st.builds(Asking, st.lists(ITEM, min_size=1, max_size=5), st.sampled_from("st"), st.sampled_from(WAYS)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(ASKINGS)
def test_any_batch_is_the_concatenation_of_its_items_and_only_what_is_new_is_paid_for(askings: list[Asking]) -> None:
    asyncio.run(_hold(askings))


async def _hold(askings: Sequence[Asking]) -> None:
    h = open_house(then=provider(_salted), lifetimes=QUICK)
    known: dict[str, int] = {}
    try:
        for asking in askings:
            await _hold_one(h, asking, known)
    finally:
        await h.runtime.close()


async def _hold_one(h: House, asking: Asking, known: dict[str, int]) -> None:
    calls = len(h.upstream.calls)
    said = json.loads(await _embed(h, asking))
    new = list({name: item for item in asking.items if (name := asking.name(item)) not in known}.values())
    data = sorted(said["data"], key=lambda one: one["index"])  # what comes live is passed on as it came
    assert [one["embedding"] for one in data] == vectors_of(asking.body, salt=_salt(asking.body))
    assert [one["index"] for one in data] == list(range(len(asking.items)))
    assert [asked(call) for call in h.upstream.calls[calls:]] == ([new] if new else [])
    receipt = h.last()
    price = PICO if asking.body["model"] == MODEL else 130_000
    assert receipt.spent.pico == price * sum(map(tokens_of, new))
    assert receipt.would_have_cost.pico == price * said["usage"]["prompt_tokens"]
    repeated = len(new) < len(asking.items)
    assert receipt.served == ("exact" if not new else "partial" if repeated else "upstream")
    assert receipt.saved == ({"exact": receipt.would_have_cost - receipt.spent} if repeated else {})
    for item in asking.items:
        alone = json.loads(await _embed(h, asking._replace(items=[item])))["usage"]["prompt_tokens"]
        assert known.setdefault(asking.name(item), alone) == alone  # what it cost then is what it costs ever after
    assert said["usage"]["prompt_tokens"] == sum(known[asking.name(item)] for item in asking.items)


async def _embed(h: House, asking: Asking) -> bytes:
    request = embeddings.read_request(json.dumps(asking.body).encode(), {}, Caller(asking.scope))
    return (await hear(await h.engine.handle(request))).body


def _salted(body: dict[str, Any]) -> Reply:
    said = answer(body)
    for one, right in zip(said["data"], vectors_of(body, salt=_salt(body)), strict=True):
        one["embedding"] = right
    return reply(json={**said, "data": list(reversed(said["data"]))})


def _salt(body: dict[str, Any]) -> str:
    """Whatever else a body holds changes its vectors."""
    return json.dumps({name: value for name, value in body.items() if name != "input"}, sort_keys=True)


@settings(max_examples=5, deadline=None)
@given(st.integers(SLICE - 2, 3 * SLICE + 2), st.data())
def test_it_holds_for_batches_of_many_slices(size: int, data: st.DataObject) -> None:
    items: list[Any] = [f"text {number}" for number in range(size)]
    kept = data.draw(st.sets(st.sampled_from(range(size))))
    askings = [Asking([items[place] for place in kept], "s", {})] if kept else []
    asyncio.run(_hold([*askings, Asking(items, "s", {}), Asking(items[::-1], "s", {})]))
