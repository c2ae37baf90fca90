"""The official SDK against a real sandbox: what it parses, what it raises, and what stands on the bill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from pennyworth.sandbox import Rule, SandboxServer, check_answer

KEY = "sk-tenant-a"


@pytest.fixture(scope="module")
def sdk(running: SandboxServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=running.base_url, api_key=KEY, max_retries=0, timeout=10.0) as client:
        yield client


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def test_a_reply_carries_the_answer_usage_and_identity(sandbox, sdk):
    body = question("What is money?")
    reply = sdk.chat.completions.create(**body)
    (choice,) = reply.choices
    assert check_answer(choice.message.content, body, KEY) is None
    assert (choice.finish_reason, choice.logprobs, choice.message.refusal) == ("stop", None, None)
    assert (reply.object, reply.model, reply.system_fingerprint) == ("chat.completion", "gpt-4o-mini", "fp_sandbox0001")
    assert reply.usage.prompt_tokens == 3 + 1 + 4 + 3
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    (line,) = sandbox.control.bill()
    assert line.request_id == reply._request_id
    assert (line.usage.input, line.usage.output) == (reply.usage.prompt_tokens, reply.usage.completion_tokens)
    assert line.amount_pico == 150_000 * line.usage.input + 600_000 * line.usage.output
    assert (line.completed, line.billed, line.stream, line.fault) == (True, True, False, "")


def test_every_reply_says_that_it_is_simulated(sandbox, sdk):
    raw = sdk.chat.completions.with_raw_response.create(**question("hello"))
    assert raw.headers["x-sandbox"] == "true"
    assert "Simulated answer" in raw.parse().choices[0].message.content
    assert {model.owned_by for model in sdk.models.list()} == {"pennyworth-sandbox-simulator"}


def test_a_stream_says_the_same_as_the_json_reply_and_ends_with_its_usage(sandbox, sdk):
    body = question("What is money?")
    whole = sdk.chat.completions.create(**body)
    chunks = list(sdk.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:-1]] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    assert [line.completed for line in sandbox.control.bill()] == [True, True]


def test_a_stream_that_did_not_ask_for_usage_has_none(sandbox, sdk):
    chunks = list(sdk.chat.completions.create(**question("hi"), stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices_are_several_right_answers_and_all_are_billed(sandbox, sdk, stream):
    body = question("Name a colour", n=3)
    if stream:
        texts = {0: "", 1: "", 2: ""}
        for chunk in sdk.chat.completions.create(**body, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    else:
        reply = sdk.chat.completions.create(**body)
        texts = {choice.index: choice.message.content for choice in reply.choices}
    assert len(set(texts.values())) == 3
    assert [check_answer(texts[i], body, KEY, choice=i) for i in range(3)] == [None] * 3
    (line,) = sandbox.control.bill()
    assert line.usage.output == sum(len(text.split(" ")) + 1 for text in texts.values())


async def test_the_asynchronous_client_gets_the_same_both_ways(sandbox):
    body = question("What is time?")
    async with AsyncOpenAI(base_url=sandbox.base_url, api_key=KEY, max_retries=0) as asking:
        reply = await asking.chat.completions.create(**body)
        parts = [
            chunk.choices[0].delta.content or ""
            async for chunk in await asking.chat.completions.create(**body, stream=True)
        ]
    assert reply.choices[0].message.content == "".join(parts)
    assert check_answer("".join(parts), body, KEY) is None


def test_tools_are_called_when_the_script_says_so(sandbox, sdk):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    body = question("FAULT:tool_calls please", tools=tools)
    reply = sdk.chat.completions.create(**body)
    (call,) = reply.choices[0].message.tool_calls
    assert (reply.choices[0].finish_reason, call.function.name) == ("tool_calls", "weather")
    assert check_answer(json.loads(call.function.arguments)["sandbox"], body, KEY) is None

    with sdk.chat.completions.stream(**body) as events:
        streamed = events.get_final_completion().choices[0].message.tool_calls[0]
    assert (streamed.id, streamed.function.arguments) == (call.id, call.function.arguments)


def test_tools_alone_do_not_make_a_tool_call(sandbox, sdk):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    assert sdk.chat.completions.create(**question("hi", tools=tools)).choices[0].finish_reason == "stop"


def test_a_refusal_is_a_refusal_in_both_forms(sandbox, sdk):
    body = question("FAULT:refusal")
    message = sdk.chat.completions.create(**body).choices[0].message
    assert message.content is None
    assert check_answer(message.refusal, body, KEY) is None
    parts = [c.choices[0].delta.refusal or "" for c in sdk.chat.completions.create(**body, stream=True)]
    assert "".join(parts) == message.refusal


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_an_answer_may_end_for_another_reason(sandbox, sdk, finish):
    body = question(f"FAULT:{finish}")
    (choice,) = sdk.chat.completions.create(**body).choices
    assert choice.finish_reason == finish
    assert check_answer(choice.message.content, body, KEY, finish=finish) is None
    assert "truncated" in check_answer(choice.message.content, body, KEY)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer_and_the_bill(sandbox, sdk, name):
    body = question("Tell me everything", **{name: 6})
    reply = sdk.chat.completions.create(**body)
    assert (reply.choices[0].finish_reason, reply.usage.completion_tokens) == ("length", 6)
    (line,) = sandbox.control.bill()
    assert (line.usage.output, line.completed, line.billed) == (6, True, True)


def test_models_that_reason_are_charged_for_it_as_output(sandbox, sdk):
    reply = sdk.chat.completions.create(**{**question("Think"), "model": "o4-mini"})
    reasoning = reply.usage.completion_tokens_details.reasoning_tokens
    (line,) = sandbox.control.bill()
    assert 64 <= reasoning < reply.usage.completion_tokens
    assert line.usage.reasoning == reasoning
    assert line.amount_pico == 1_100_000 * line.usage.input + 4_400_000 * line.usage.output


def test_a_long_prompt_is_cached_the_second_time_and_billed_at_the_cached_price(sandbox, sdk):
    body = question("lorem ipsum " * 700)
    first = sdk.chat.completions.create(**body).usage
    second = sdk.chat.completions.create(**body).usage
    assert first.prompt_tokens == second.prompt_tokens == 3 + 1 + 1400 + 3 + 1  # the last space is a token of its own
    assert (first.prompt_tokens_details.cached_tokens, second.prompt_tokens_details.cached_tokens) == (0, 1408)
    cached_line = list(sandbox.control.bill())[1]
    assert cached_line.usage.cached == 1408
    assert cached_line.amount_pico == 0 * 150_000 + 1408 * 75_000 + cached_line.usage.output * 600_000


def test_another_tenant_finds_nothing_cached(sandbox, sdk):
    body = question("lorem ipsum " * 700)
    sdk.chat.completions.create(**body)
    other = sdk.with_options(api_key="sk-tenant-b").chat.completions.create(**body)
    assert other.usage.prompt_tokens_details.cached_tokens == 0


ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (402, openai.APIStatusError),
    (404, openai.NotFoundError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "error"), ERRORS)
def test_a_status_by_script_becomes_the_exception_of_the_sdk_and_costs_nothing(sandbox, sdk, status, error, stream):
    with pytest.raises(error) as caught:
        sdk.chat.completions.create(**question(f"FAULT:status={status}"), stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["message"]
    assert caught.value.response.headers["x-sandbox"] == "true"
    (line,) = sandbox.control.bill()
    assert (line.status, line.amount_pico, line.billed, line.completed) == (status, 0, False, False)
    assert caught.value.request_id == line.request_id


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        ({"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}, openai.NotFoundError, None),
        ({"model": "gpt-4o", "messages": []}, openai.BadRequestError, "messages"),
        ({"model": "gpt-4o", "messages": [{"content": "x"}]}, openai.BadRequestError, "messages[0].role"),
        (
            {"model": "gpt-4o", "messages": [{"role": "user", "content": 7}]},
            openai.BadRequestError,
            "messages[0].content",
        ),
        ({"model": "gpt-4o", "messages": "hi"}, openai.BadRequestError, "messages"),
        (question("x", n=0), openai.BadRequestError, "n"),
        (question("x", max_tokens="9"), openai.BadRequestError, "max_tokens"),
        (question("x", stream_options={"include_usage": True}), openai.BadRequestError, "stream_options"),
    ],
)
def test_what_openai_refuses_is_refused_with_the_field_at_fault(sandbox, sdk, body, error, param):
    with pytest.raises(error) as caught:
        sdk.chat.completions.create(**body)
    assert caught.value.param == param
    assert [line.billed for line in sandbox.control.bill()] == [False]


def test_a_key_sent_as_bearer_twice_is_refused(sandbox, sdk):
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="Bearer sk-x").chat.completions.create(**question("x"))


def test_the_sdk_retries_a_429_after_the_time_it_is_told(sandbox, sdk):
    sandbox.control.script([Rule(kind="status", status=429, retry_after="0.01", times=1)])
    reply = sdk.with_options(max_retries=2).chat.completions.create(**question("again"))
    assert reply.choices[0].finish_reason == "stop"
    assert [line.status for line in sandbox.control.bill()] == [429, 200]


def test_an_error_event_in_a_stream_is_raised_by_the_sdk(sandbox, sdk):
    chunks = iter(sdk.chat.completions.create(**question("FAULT:error_event=4"), stream=True))
    assert len([next(chunks) for _ in range(4)]) == 4
    with pytest.raises(openai.APIError, match="server had an error"):
        next(chunks)


@pytest.mark.parametrize("fault", ["reset", "cut", "body_cut=40"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_connection_is_a_connection_error_to_the_sdk(sandbox, sdk, fault, stream):
    def ask() -> list[Any]:
        return list(sdk.chat.completions.create(**question(f"FAULT:{fault}"), stream=stream))

    with pytest.raises(openai.APIError):
        ask()


def test_a_provider_that_hangs_is_a_timeout_to_the_sdk_and_costs_nothing(sandbox, sdk):
    with pytest.raises(openai.APITimeoutError):
        sdk.with_options(timeout=0.2).chat.completions.create(**question("FAULT:hang"))
    while not (lines := list(sandbox.control.bill())):
        pass
    assert [(line.fault, line.status, line.billed) for line in lines] == [("hang", 0, False)]


def test_totals_on_the_bill_are_the_sum_of_its_lines(sandbox, sdk):
    for i in range(12):
        body = {**question(f"{'FAULT:status' if i % 3 == 0 else 'plain'} {i}"), "model": ("gpt-4o", "o3")[i % 2]}
        try:
            sdk.chat.completions.create(**body)
        except openai.InternalServerError:
            assert i % 3 == 0
    lines, totals = list(sandbox.control.bill()), sandbox.control.totals()
    for model in ("gpt-4o", "o3"):
        mine = [line for line in lines if line.model == model]
        assert totals[model].requests == len(mine) == 6
        assert totals[model].amount_pico == sum(line.amount_pico for line in mine)
        assert totals[model].completed == totals[model].billed == 4
