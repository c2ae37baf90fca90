"""The official Anthropic SDK against a real sandbox: what it parses, what it raises, and what stands on the bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from pennyworth.sandbox import Rule, SandboxServer, check_answer

KEY = "sk-ant-tenant-a"
MODEL = "claude-sonnet-5"
IN, OUT = 2_000_000, 10_000_000
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def sdk(running: SandboxServer) -> Iterator[Anthropic]:
    with Anthropic(base_url=running.url, api_key=KEY, max_retries=0, timeout=10.0) as client:
        yield client


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 400, "messages": [{"role": "user", "content": text}], **more}


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_reply_carries_the_answer_usage_and_identity(sandbox, sdk):
    body = question("What is money?")
    reply = sdk.messages.create(**body)
    assert check_answer(text_of(reply), body, KEY) is None
    assert (reply.type, reply.role, reply.model) == ("message", "assistant", MODEL)
    assert (reply.stop_reason, reply.stop_sequence) == ("end_turn", None)
    assert reply.usage.input_tokens == 3 + 1 + 4 + 3
    (line,) = sandbox.control.bill()
    assert line.request_id == reply._request_id
    assert (line.usage.input, line.usage.output) == (reply.usage.input_tokens, reply.usage.output_tokens)
    assert line.amount_pico == IN * line.usage.input + OUT * line.usage.output
    assert (line.completed, line.billed, line.stream, line.fault) == (True, True, False, "")


def test_a_stream_says_the_same_as_the_json_reply_in_the_order_of_anthropics_events(sandbox, sdk):
    body = question("What is money?")
    whole = sdk.messages.create(**body)
    kinds, raw = [], sdk.messages.with_raw_response.create(**body, stream=True)
    for line in raw.http_response.iter_lines():
        if line.startswith("event: "):
            kinds.append(line.removeprefix("event: "))
    pieces = kinds.count("content_block_delta")
    assert pieces == whole.usage.output_tokens
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * pieces,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    with sdk.messages.stream(**body) as stream:
        said = stream.get_final_message()
    unlike = {"id", "parsed_output"}
    assert said.model_dump(exclude=unlike)["usage"] == whole.model_dump()["usage"]
    assert (text_of(said), said.stop_reason) == (text_of(whole), "end_turn")
    assert [line.completed for line in sandbox.control.bill()] == [True, True, True]


async def test_the_async_client_gets_the_same(sandbox, sdk):
    body = question("What is money?")
    async with AsyncAnthropic(base_url=sandbox.url, api_key=KEY, max_retries=0, timeout=10.0) as client:
        reply = await client.messages.create(**body)
        async with client.messages.stream(**body) as stream:
            said = await stream.get_final_message()
    assert text_of(said) == text_of(reply) == text_of(sdk.messages.create(**body))


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_when_the_script_asks_for_it_and_its_result_is_taken(sandbox, sdk, stream):
    body = question("FAULT:tool_calls weather?", tools=[WEATHER], tool_choice={"type": "any"})
    if stream:
        with sdk.messages.stream(**body) as events:
            reply = events.get_final_message()
    else:
        reply = sdk.messages.create(**body)
    (call,) = reply.content
    assert (call.type, call.name, reply.stop_reason) == ("tool_use", "get_weather", "tool_use")
    assert check_answer(call.input["city"], body, KEY) is None
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [call.model_dump(exclude={"caller"})]},
        {"role": "user", "content": [result]},
    ]
    answer = sdk.messages.create(model=MODEL, max_tokens=400, messages=turns, tools=[WEATHER])
    assert answer.stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError, match="without `tool_result`"):
        sdk.messages.create(model=MODEL, max_tokens=400, messages=[*turns[:2], turns[0]], tools=[WEATHER])
    with pytest.raises(anthropic.BadRequestError, match="unexpected `tool_use_id`"):
        sdk.messages.create(model=MODEL, max_tokens=400, messages=[turns[0], turns[2]], tools=[WEATHER])


def test_what_is_thought_comes_first_and_is_paid_as_output(sandbox, sdk):
    body = question("Think", max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 2000})
    reply = sdk.messages.create(**body)
    with sdk.messages.stream(**body) as stream:
        said = stream.get_final_message()
    assert [block.type for block in reply.content] == ["thinking", "text"]
    assert said.content[0].model_dump() == reply.content[0].model_dump()
    thought = reply.usage.output_tokens_details.thinking_tokens
    assert thought >= 64
    assert said.usage.output_tokens_details.thinking_tokens == thought
    for line in sandbox.control.bill():
        assert (line.usage.reasoning, line.usage.output) == (thought, reply.usage.output_tokens)


@pytest.mark.parametrize(("fault", "reason"), [("length", "max_tokens"), ("content_filter", "refusal"), ("refusal", "refusal")])  # fmt: skip
def test_ends_other_than_good_ones(sandbox, sdk, fault, reason):
    body = question(f"FAULT:{fault} hello")
    with sdk.messages.stream(**body) as stream:
        said = stream.get_final_message()
    assert said.stop_reason == sdk.messages.create(**body).stop_reason == reason
    assert all(line.billed for line in sandbox.control.bill())


def test_the_answer_is_cut_off_at_the_requests_limit(sandbox, sdk):
    reply = sdk.messages.create(**question("What is money?", max_tokens=6))
    assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 6)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.OverloadedError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_the_sdks_own_and_costs_nothing(sandbox, sdk, status, error, kind, stream):
    with pytest.raises(error) as caught:
        sdk.messages.create(**question(f"FAULT:status={status}"), stream=stream)
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.request_id
    (line,) = sandbox.control.bill()
    assert (line.amount_pico, line.billed, line.status) == (0, False, status)


@pytest.mark.parametrize("fault", ["error_event", "malformed", "body_cut=700"])
def test_a_stream_that_fails_on_the_way_raises_and_costs_nothing(sandbox, sdk, fault):
    with pytest.raises(Exception), sdk.messages.stream(**question(f"FAULT:{fault} hello")) as stream:  # noqa: B017, PT011
        stream.get_final_message()
    (line,) = sandbox.control.bill()
    assert (line.amount_pico, line.billed) == (0, False)


REFUSED = [
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": 0}, "greater than or equal to 1"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"messages": []}, "at least one message"),
    ({"messages": [{"role": "assistant", "content": "hi"}]}, 'first message must use the "user" role'),
    ({"messages": [{"role": "tool", "content": "hi"}]}, r"messages.0.role"),
    ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
    ({"frequency_penalty": 1}, "frequency_penalty: Extra inputs are not permitted"),
    ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "greater than `thinking.budget_tokens`"),
    ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    ({"model": None}, "model: Field required"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_what_anthropic_refuses_is_refused_in_its_words(sandbox, sdk, change, says):
    body = {name: value for name, value in {**question("hi"), **change}.items() if value is not None}
    with pytest.raises(anthropic.BadRequestError, match=says):
        sdk.post("/v1/messages", body=body, cast_to=object)
    (line,) = sandbox.control.bill()
    assert (line.status, line.amount_pico) == (400, 0)


def test_a_key_a_version_and_a_known_model_are_needed(sandbox, sdk):
    with pytest.raises(anthropic.NotFoundError, match="model: claude-none"):
        sdk.messages.create(**question("hi") | {"model": "claude-none"})
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        sdk.messages.create(**question("hi"), extra_headers={"anthropic-version": ""})
    nobody = Anthropic(base_url=sandbox.url, api_key="sk ant", max_retries=0)
    with nobody, pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        nobody.messages.create(**question("hi"))


def test_tokens_can_be_counted_beforehand_for_nothing(sandbox, sdk):
    asked = {"model": MODEL, "system": "Be brief.", "messages": [{"role": "user", "content": "hi"}], "tools": [WEATHER]}
    counted = sdk.messages.count_tokens(**asked).input_tokens
    assert not list(sandbox.control.bill())
    assert sdk.messages.create(**asked, max_tokens=9).usage.input_tokens == counted
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.count_tokens(**asked | {"model": "claude-none"})


def test_a_marked_prompt_is_written_once_and_read_after_that_at_anthropics_prices(sandbox, sdk):
    long = [{"type": "text", "text": "word " * 1500, "cache_control": {"type": "ephemeral"}}]
    hours = [{**long[0], "text": "hour " * 1500, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first, again = (sdk.messages.create(**question(text, system=long)) for text in ("one", "two"))
    kept = sdk.messages.create(**question("three", system=hours))
    written = first.usage.cache_creation_input_tokens
    assert written > 1500
    assert (first.usage.cache_read_input_tokens, again.usage.cache_read_input_tokens) == (0, written)
    assert again.usage.cache_creation_input_tokens == 0
    assert first.usage.cache_creation.ephemeral_5m_input_tokens == written
    assert kept.usage.cache_creation.ephemeral_1h_input_tokens == kept.usage.cache_creation_input_tokens > 1500
    lines = list(sandbox.control.bill())
    for line, reply, rate in zip(lines, (first, again, kept), (IN * 5 // 4, IN // 10, IN * 2), strict=True):
        counts = reply.usage
        marked = counts.cache_creation_input_tokens + counts.cache_read_input_tokens
        assert line.usage.input == counts.input_tokens + marked
        assert line.amount_pico == counts.input_tokens * IN + marked * rate + counts.output_tokens * OUT


def test_rules_apply_as_to_chat(sandbox, sdk):
    sandbox.control.script([Rule(kind="status", status=529, model="claude*", times=1, retry_after="7")])
    with pytest.raises(anthropic.OverloadedError) as caught:
        sdk.messages.create(**question("hi"))
    assert caught.value.response.headers["retry-after"] == "7"
    assert sdk.messages.create(**question("hi")).stop_reason == "end_turn"
