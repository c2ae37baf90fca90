"""What a call costs stands on the receipt to the picodollar, whatever was asked in which dialect of whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pennyworth.request import Dialect
from pennyworth.sandbox import SandboxServer, Settings
from tests.door.running import Running, plan_for

CLAUDE, GPT = "claude-sonnet-5", "gpt-4o-mini"
PROVIDERS: dict[Dialect, dict[str, Any]] = {
    "chat": {"name": "openai", "dialects": ("chat",), "price_provider": "openai"},
    "responses": {"name": "openai", "dialects": ("responses",), "price_provider": "openai"},
    "messages": {
        "name": "anthropic",
        "dialects": ("messages",),
        "auth": "x-api-key",
        "headers": (("anthropic-version", "2023-06-01"),),
        "price_provider": "anthropic",
    },
}
LONG = "Some of this is said again and again, so that it may be cached. " * 200


class House:
    def __init__(self, running: Running, sandbox: SandboxServer, model: str) -> None:
        self.running, self.sandbox, self.model = running, sandbox, model

    def ask(self, dialect: Dialect, text: str, **more: Any) -> None:
        path, body = asked(dialect, self.model, text)
        with httpx.Client(timeout=20.0) as client:
            reply = client.post(
                f"{self.running.url}/v1{path}", json={**body, **more}, headers={"anthropic-version": "2023-06-01"}
            )
        assert reply.status_code == 200, reply.text


@pytest.fixture(scope="module", params=PROVIDERS)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    model = CLAUDE if request.param == "messages" else GPT
    plan = PROVIDERS[request.param]
    with SandboxServer(Settings(seed=11)) as sandbox, Running(plan_for(sandbox.base_url, provider=plan)) as running:
        yield House(running, sandbox, model)


def asked(dialect: Dialect, model: str, text: str) -> tuple[str, dict[str, Any]]:
    turns = [{"role": "user", "content": text}]
    match dialect:
        case "chat":
            return "/chat/completions", {"model": model, "messages": [{"role": "system", "content": LONG}, *turns]}
        case "messages":
            return "/messages", {"model": model, "max_tokens": 900, "system": LONG, "messages": turns}
    return "/responses", {"model": model, "instructions": LONG, "input": turns, "store": False}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "messages", "responses"])
def test_the_books_and_the_providers_bill_say_the_same(house: House, dialect: Dialect, stream: bool) -> None:
    for number in range(3):
        house.ask(dialect, f"Tell me of {dialect} {stream} {number}.", stream=stream)
    compare(house)


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_written_to_the_providers_cache_is_paid_for_by_how_long_it_stays(
    house: House, ttl: str, stream: bool
) -> None:
    if house.model != CLAUDE:
        pytest.skip("only Anthropic's callers say what is to be cached")
    system = [{"type": "text", "text": f"{ttl} {stream} {LONG}", "cache_control": {"type": "ephemeral", "ttl": ttl}}]
    for number in range(3):
        house.ask("messages", f"Of {ttl} {stream} {number}.", stream=stream, system=system)
    compare(house)
    written = [line.usage for line in house.sandbox.control.bill() if line.usage.written]
    assert any(usage.written_1h for usage in written) or ttl == "5m"


def compare(house: House) -> None:
    bill = [
        (line.amount_pico, line.usage.input, line.usage.output) for line in house.sandbox.control.bill() if line.billed
    ]
    receipts = [receipt for receipt in house.running.receipts() if receipt.attempts]
    books = [(one.spent.pico, one.usage.input, one.usage.output) for one in receipts if one.usage is not None]
    assert sorted(books) == sorted(bill) != []
    assert all(one.basis == "metered" for receipt in receipts for one in receipt.attempts), json.dumps(books)
