"""How many tokens a Messages request has: its provider counts where it can, else we say about how many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from pennyworth.clients import Allowance, Budget, ClientKey
from pennyworth.secret import Secret
from pennyworth.testing.scripted_server import connection, send
from tests.door.conftest import MakeGateway
from tests.door.running import Running
from tests.door.scripted_provider import last_reply

TURNS: Any = [{"role": "user", "content": "What does rule 1 of the house say about umbrellas?"}]
MESSAGES = {"dialects": ("messages",), "auth": "x-api-key", "headers": (("anthropic-version", "2023-06-01"),)}


@pytest.fixture
def client() -> Iterator[Anthropic]:
    with Anthropic(base_url="http://127.0.0.1:1", api_key="sk-any", max_retries=0) as made:
        yield made


def count(client: Anthropic, gateway: Running, model: str = "claude-sonnet-4-5", **more: Any) -> int:
    asked = client.with_options(base_url=gateway.url, **more)
    return asked.messages.count_tokens(model=model, system="Be brief.", messages=TURNS).input_tokens


def test_a_provider_that_can_count_is_asked(scripted: MakeGateway, client: Anthropic):
    gateway, provider = scripted([connection(send(last_reply(b'{"input_tokens":17}')))], provider=MESSAGES)
    assert count(client, gateway) == 17
    head = provider.requests[0].partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"post /v1/messages/count_tokens http/1.1")
    assert head.count(b"anthropic-version") == 1, "the caller's own, and not ours as well"
    assert (gateway.last().basis, gateway.last().model) == ("none", "claude-sonnet-4-5")


def test_for_any_other_provider_it_is_an_estimate_and_says_so(scripted: MakeGateway, client: Anthropic):
    gateway, provider = scripted()
    reply = client.with_options(base_url=gateway.url).messages.with_raw_response.count_tokens(
        model="gpt-4o-mini", system="Be brief.", messages=TURNS
    )
    assert 12 <= reply.parse().input_tokens <= 40
    assert reply.headers["x-pennyworth-estimated"] == "input_tokens"
    assert provider.connections == 0
    receipt = gateway.last()
    assert (receipt.id, receipt.status) == (reply.headers["x-pennyworth-receipt"], 200)
    assert (receipt.served, receipt.ending, receipt.basis, receipt.spent.pico) == ("none", "complete", "none", 0)


def test_it_is_json_in_anthropics_dialect_whatever_the_head_says(scripted: MakeGateway):
    gateway, _ = scripted()
    url = f"{gateway.url}/v1/messages/count_tokens"
    reply = httpx.post(url, content=json.dumps({"model": "gpt-4o-mini", "messages": TURNS}))
    assert reply.json()["input_tokens"] > 0
    refused = httpx.post(url, content=b'{"messages": []}').json()
    assert (refused["type"], refused["error"]["param"]) == ("error", "model")


def test_a_longer_system_prompt_counts(scripted: MakeGateway, client: Anthropic):
    gateway, _ = scripted()
    counting = client.with_options(base_url=gateway.url).messages
    short = counting.count_tokens(model="gpt-4o-mini", messages=TURNS).input_tokens
    long = counting.count_tokens(model="gpt-4o-mini", system="Be brief. " * 50, messages=TURNS).input_tokens
    assert long > short + 100


def test_who_has_a_budget_may_count_but_only_for_models_he_may_ask(scripted: MakeGateway, client: Anthropic):
    allowance = Allowance(models=("gpt-*",), budgets=(Budget(period="day", amount="0"),))
    keys = (ClientKey(name="ann", secret=Secret("sk-ann-0123456789"), scope="ann", allowance=allowance),)
    gateway, _ = scripted(keys=keys)
    assert count(client, gateway, "gpt-4o-mini", api_key="sk-ann-0123456789") > 10
    with pytest.raises(anthropic.PermissionDeniedError, match="may ask gpt"):
        count(client, gateway, api_key="sk-ann-0123456789")
