"""The official SDK asks the whole gateway for vectors: every one of them is that of its text, live, kept or put together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from pennyworth.sandbox import SandboxServer, Settings, check_vector
from pennyworth.sandbox.embeddings import items_of
from tests.door.running import KEY, Running, plan_for

MODEL = "text-embedding-3-small"


@pytest.fixture(scope="module")
def provider() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=5)) as server:
        yield server


@pytest.fixture
def gateway(provider: SandboxServer) -> Iterator[Running]:
    provider.control.reset()
    with Running(plan_for(provider.base_url)) as running:
        yield running
        assert running.logged.lines == []
        assert running.troubles == []


@pytest.fixture
def client(gateway: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as made:
        yield made


def right(reply: Any, body: dict[str, Any]) -> bool:
    """Whether every vector is that of the item at its place."""
    items = items_of(body)
    assert [one.index for one in reply.data] == list(range(len(items)))
    return all(
        check_vector(one.embedding, item, body, KEY) is None for item, one in zip(items, reply.data, strict=True)
    )


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_batches_live_kept_and_put_together_are_right(
    client: OpenAI, gateway: Running, provider: SandboxServer, encoding: dict[str, Any]
) -> None:
    shape = {"model": MODEL, "dimensions": 16, **encoding}
    texts = ["one", "two", "three", "two", "vier", "năm", "六"]
    for items in (texts[:3], texts, texts[::-1], texts[2], [texts[4]]):
        body = {**shape, "input": items}
        reply = client.embeddings.create(**body)
        assert right(reply, body)
        assert reply.model == MODEL
        assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0
    assert [receipt.served for receipt in gateway.receipts()] == ["upstream", "partial", "exact", "exact", "exact"]
    paid = sum(receipt.spent.pico for receipt in gateway.receipts())
    assert paid == provider.control.totals()[MODEL].amount_pico
    assert len(list(provider.control.bill())) == 2


def test_lists_of_token_numbers_are_items_too(client: OpenAI, provider: SandboxServer) -> None:
    for items in ([1, 2, 3], [[1, 2, 3]], [[4], [1, 2, 3], [5, 6]], [[5, 6], [4]]):
        body = {"model": MODEL, "dimensions": 16, "input": items}
        assert right(client.embeddings.create(**body), body)
    assert [line.usage.input for line in provider.control.bill()] == [3, 3]


def test_a_reply_given_again_is_the_same_object(client: OpenAI) -> None:
    body = {"model": MODEL, "dimensions": 16, "input": ["a", "b", "c"]}
    assert client.embeddings.create(**body) == client.embeddings.create(**body)
    assert client.embeddings.create(**{**body, "input": "a"}) == client.embeddings.create(**{**body, "input": "a"})


async def test_the_async_sdk_gets_the_same_and_a_herd_shares_one_call(
    gateway: Running, provider: SandboxServer
) -> None:
    body: dict[str, Any] = {"model": MODEL, "dimensions": 16, "input": [f"text {number}" for number in range(150)]}
    async with AsyncOpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as client:
        replies = await asyncio.gather(*[client.embeddings.create(**body) for _ in range(5)])
        more = {**body, "input": [*body["input"][::-1], "one more"]}
        assert right(await client.embeddings.create(**more), more)
    assert all(right(reply, body) for reply in replies)
    assert len(list(provider.control.bill())) == 2
    assert sum(receipt.spent.pico for receipt in gateway.receipts()) == provider.control.totals()[MODEL].amount_pico


def test_errors_are_the_sdks_own(client: OpenAI, gateway: Running) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/embeddings", body={"model": MODEL, "input": ["a", 1]}, cast_to=object)
    assert json.loads(refused.value.response.text)["error"]["param"] == "input[1]"
    assert gateway.last().dialect == "embeddings"
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model=MODEL, input=["a", "FAULT:status=503"])
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-none", input="a")
    assert right(client.embeddings.create(model=MODEL, input="a"), {"model": MODEL, "input": "a"})


def test_the_headers_say_what_was_kept(client: OpenAI) -> None:
    body = {"model": MODEL, "dimensions": 16, "input": ["x", "y"]}
    client.embeddings.create(**body)
    raw = client.embeddings.with_raw_response.create(**{**body, "input": ["x", "y", "z"]})
    assert raw.headers["cache-status"] == 'pennyworth; fwd=partial; detail="2 of 3 items were kept"'
    assert raw.headers["x-pennyworth-saved"] != "0"
    assert client.embeddings.with_raw_response.create(**body).headers["x-pennyworth-spent"] == "0"
