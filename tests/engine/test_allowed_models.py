"""What a key may ask holds for whoever stands in for the model it asked."""

from __future__ import annotations

import asyncio
import json

import pytest

from pennyworth.clients import Allowance, ClientKey
from pennyworth.engine.relay import Relay
from pennyworth.plan import Provider, Route
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.testing.scripted import chat_json, error_json, reply
from pennyworth.wire import chat
from tests.engine.conftest import AGAIN, House, MakeHouse, hear

GOOD = reply(json=chat_json("fine", usage=(9, 2)))
WRONG = reply(401, json=error_json("who are you"))
PROVIDERS = (
    Provider(name="openai", base_url="http://a/v1", credential=Secret("k"), models=("gpt-*",), price_provider="openai", persistence=AGAIN),
    Provider(name="other", base_url="http://b/v1", credential=Secret("k"), models=("o3*",), price_provider="openai", persistence=AGAIN),
)  # fmt: skip
CHAIN = Route(fallbacks=("o3-mini", "gpt-4.1"))


def key(name: str, *models: str) -> ClientKey:
    return ClientKey(name=name, secret=Secret(name), scope="shared", allowance=Allowance(models=models))


async def begin(h: House, client: str) -> Relay:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "q"}]}
    handled = await h.engine.handle(chat.read_request(json.dumps(body).encode(), {}, Caller("shared", client=client)))
    assert isinstance(handled, Relay)
    return handled


def asked(h: House) -> list[str]:
    return [call.target.name for call in h.upstream.calls]


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (("*",), ["openai/gpt-4o", "other/o3-mini", "openai/gpt-4.1"]),
        (("gpt-*",), ["openai/gpt-4o", "openai/gpt-4.1"]),
        (("gpt-4o", "other/*"), ["openai/gpt-4o", "other/o3-mini"]),
        (("gpt-4o",), ["openai/gpt-4o"]),
    ],
)
async def test_no_fallback_leaves_what_the_key_may_ask(house: MakeHouse, models: tuple[str, ...], names: list[str]):
    h = await house(then=WRONG, providers=PROVIDERS, routes=(CHAIN,), keys=(key("alice", *models),))
    assert (await hear(await begin(h, "alice"))).status >= 400
    assert asked(h) == names


async def test_a_key_joins_no_call_that_may_be_answered_by_a_model_it_may_not_ask(house: MakeHouse):
    h = await house(
        [WRONG, GOOD, GOOD], providers=PROVIDERS, routes=(CHAIN,), keys=(key("wide", "*"), key("narrow", "gpt-4o"))
    )
    first, second = await begin(h, "wide"), await begin(h, "narrow")
    heard = await asyncio.gather(hear(first), hear(second))
    assert [one.status for one in heard] == [200, 200]
    assert asked(h).count("openai/gpt-4o") == 2
    served = {receipt.client: receipt for receipt in h.receipts()}
    assert served["narrow"].served == "upstream"
    assert served["narrow"].target == "openai/gpt-4o"


async def test_keys_that_may_ask_the_same_share_a_call(house: MakeHouse):
    keys = (key("one", "gpt-*", "o3*"), key("two", "*"))
    h = await house([GOOD], providers=PROVIDERS, routes=(CHAIN,), keys=keys)
    heard = await asyncio.gather(*[hear(await begin(h, client)) for client in ("one", "two")])
    assert [one.status for one in heard] == [200, 200]
    assert len(h.upstream.calls) == 1
