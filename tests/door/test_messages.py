"""Anthropic's own SDK through the gateway, in front of a sandbox that speaks Messages: live, replayed, broken, paid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from pennyworth.sandbox import SandboxServer, Settings, check_answer
from tests.door.running import KEY, Running, plan_for

MODEL = "claude-sonnet-5"
PROVIDER = {
    "name": "anthropic",
    "dialects": ("messages",),
    "auth": "x-api-key",
    "headers": (("anthropic-version", "2023-06-01"),),
    "price_provider": "anthropic",
}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}

Ask = Callable[[], str]


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Running, SandboxServer]]:
    with SandboxServer(Settings(seed=5)) as sandbox, Running(plan_for(sandbox.base_url, provider=PROVIDER)) as running:
        yield running, sandbox
        assert running.logged.lines == []


@pytest.fixture
def sdk(house: tuple[Running, SandboxServer]) -> Iterator[Anthropic]:
    running, sandbox = house
    sandbox.control.reset()
    with Anthropic(base_url=running.url, api_key="anything", max_retries=0, timeout=10.0) as client:
        yield client


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": text}], **more}


def said(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = message.model_dump(exclude={"parsed_output"})
    found["content"] = [{k: v for k, v in block.items() if k != "parsed_output"} for block in found["content"]]
    return found


@pytest.mark.parametrize("first", ["json", "stream"])
def test_a_reply_comes_again_in_either_form_and_is_paid_once(house, sdk: Anthropic, ask_about: Ask, first: str) -> None:
    running, sandbox = house
    asked = body(ask_about())

    def as_json() -> Any:
        return sdk.messages.create(**asked)

    def as_stream() -> Any:
        with sdk.messages.stream(**asked) as stream:
            return stream.get_final_message()

    ways = [as_json, as_stream] if first == "json" else [as_stream, as_json]
    live, *again = [way() for way in (*ways, *ways)]
    assert check_answer(live.content[0].text, asked, KEY) is None
    for one in again:
        assert said(one) == said(live)
    (line,) = sandbox.control.bill()
    receipts = running.receipts()[-4:]
    assert [receipt.served for receipt in receipts] == ["upstream", "exact", "exact", "exact"]
    assert [receipt.spent.pico for receipt in receipts] == [line.amount_pico, 0, 0, 0]


async def test_the_async_client_too(house, sdk: Anthropic, ask_about: Ask) -> None:
    asked = body(ask_about())
    async with AsyncAnthropic(base_url=house[0].url, api_key="anything", max_retries=0, timeout=10.0) as client:
        assert said(await client.messages.create(**asked)) == said(sdk.messages.create(**asked))


def test_calls_of_tools_arrive_and_are_not_kept(house, sdk: Anthropic, ask_about: Ask) -> None:
    asked = body(f"FAULT:tool_calls {ask_about()}", tools=[TOOL])
    for _ in range(2):
        (call,) = sdk.messages.create(**asked).content
        assert (call.type, call.name) == ("tool_use", "look")
    assert len(list(house[1].control.bill())) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, anthropic.BadRequestError), (429, anthropic.RateLimitError), (529, anthropic.OverloadedError)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_providers_errors_are_the_sdks_own(sdk: Anthropic, ask_about: Ask, status: int, error: Any, stream: bool) -> None:  # fmt: skip
    with pytest.raises(error):
        sdk.messages.create(**body(f"FAULT:status={status} {ask_about()}"), stream=stream)


def test_our_own_refusal_is_one_too_and_names_the_field(sdk: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"max_tokens.*field: max_tokens") as caught:
        sdk.messages.create(**body("hi", max_tokens=-1))
    assert caught.value.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("fault", ["error_event=9", "cut=9"])
def test_a_stream_that_breaks_raises_and_is_booked_for_what_came(house, sdk: Anthropic, ask_about: Ask, fault: str) -> None:  # fmt: skip
    with (
        pytest.raises(anthropic.APIError),
        sdk.messages.stream(**body(f"FAULT:{fault} {ask_about()}")) as stream,
    ):
        stream.get_final_message()
    receipt = house[0].receipts()[-1]
    (attempt,) = receipt.attempts
    assert attempt.basis == "estimated"
    assert attempt.usage is not None
    assert attempt.usage.input > 10
    assert attempt.usage.output > 5


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_prompt_caching_is_booked_to_the_picodollar(house, sdk: Anthropic, ask_about: Ask, ttl: str) -> None:
    running, sandbox = house
    mark = {"cache_control": {"type": "ephemeral", "ttl": ttl}}
    system = [{"type": "text", "text": f"{ask_about()} {'word ' * 1500}", **mark}]
    for stream in (False, True, False):
        reply = sdk.messages.create(**body(ask_about(), system=system), stream=stream)
        if stream:
            list(reply)
    lines, receipts = list(sandbox.control.bill()), running.receipts()[-3:]
    assert [line.usage.cached > 1500 for line in lines] == [False, True, True]
    assert (lines[0].usage.written > 1500, lines[0].usage.written_1h > 1500) == (True, ttl == "1h")
    assert [receipt.spent.pico for receipt in receipts] == [line.amount_pico for line in lines]
    assert [receipt.basis for receipt in receipts] == ["metered"] * 3
