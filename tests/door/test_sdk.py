"""The official SDK through the whole gateway: answers, usage, tools, headers, errors, streams live and given again."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json
from pennyworth.testing.scripted_server import connection, reset, send
from tests.door.conftest import MakeGateway
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream

Ask = Callable[[], str]
Staged = tuple[Running, ScriptedProvider]

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SHAPES: list[dict[str, Any]] = [
    {},
    {"n": 2},
    {"logprobs": True, "top_logprobs": 2},
    {"tools": [TOOL], "tool_choice": "required"},
    {"model": "o4-mini"},
    {"extra_body": {"top_k": 5, "provider_says": {"deep": [1, 2.50, None]}}},
]
"""What the SDK may ask for, each of which shapes the reply in its own way."""


@pytest.fixture(scope="module")
def sdk() -> Iterator[OpenAI]:
    """``sdk.with_options(base_url=…)`` shares its connections and TLS set-up, which costs more than a gateway."""
    with OpenAI(base_url="http://127.0.0.1:1/v1", api_key="sk-any", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def client(sdk: OpenAI, gateway: Running) -> OpenAI:
    return sdk.with_options(base_url=gateway.base_url)


def ask(client: OpenAI, question: str, **fields: Any) -> ChatCompletion:
    given = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}], **fields}
    return client.chat.completions.create(**given)


def stream(client: OpenAI, question: str, **fields: Any) -> list[ChatCompletionChunk]:
    given = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}], **fields}
    return list(client.chat.completions.create(stream=True, **given))


def text_of(chunks: list[ChatCompletionChunk]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return texts


@pytest.mark.parametrize("shape", SHAPES, ids=[",".join(shape) or "plain" for shape in SHAPES])
def test_an_answer_given_again_is_the_same_object(client: OpenAI, ask_about: Ask, shape: dict[str, Any]):
    question = ask_about()
    first, again = ask(client, question, **shape), ask(client, question, **shape)
    assert first == again
    assert len(first.choices) == shape.get("n", 1)
    assert first.usage is not None
    assert first.usage.prompt_tokens > 0


@pytest.mark.parametrize("shape", SHAPES, ids=[",".join(shape) or "plain" for shape in SHAPES])
@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_given_again_is_the_same_list_of_events(
    client: OpenAI, ask_about: Ask, shape: dict[str, Any], usage: bool
):
    question, shape = ask_about(), {**shape, **({"stream_options": {"include_usage": True}} if usage else {})}
    live, again = stream(client, question, **shape), stream(client, question, **shape)
    assert live == again
    assert any(chunk.usage for chunk in live) == usage
    assert all(not chunk.choices for chunk in live if chunk.usage)


@pytest.mark.parametrize("shape", [{}, {"n": 2}, {"logprobs": True}, {"model": "o4-mini"}])
def test_a_question_asked_one_way_is_answered_the_other_way(client: OpenAI, ask_about: Ask, shape: dict[str, Any]):
    question = ask_about()
    whole = ask(client, question, **shape)
    texts = text_of(stream(client, question, **shape))
    assert {choice.index: choice.message.content for choice in whole.choices} == texts
    question = ask_about()
    texts = text_of(stream(client, question, **shape))
    whole = ask(client, question, **shape)
    assert {choice.index: choice.message.content for choice in whole.choices} == texts
    assert whole.usage is not None, "the stream's usage was asked for, hidden, and kept"


def test_tool_calls_arrive_and_are_not_kept(client: OpenAI, gateway: Running, ask_about: Ask):
    """Whole and streamed: to the SDK they are the same call."""
    question, tools = f"FAULT:tool_calls {ask_about()}", {"tools": [TOOL], "tool_choice": "required"}
    choice = ask(client, question, **tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    pieces = [chunk.choices[0].delta.tool_calls for chunk in stream(client, question, **tools) if chunk.choices]
    arguments = "".join(
        call.function.arguments or "" for calls in pieces if calls for call in calls if call.function is not None
    )
    assert arguments == getattr(choice.message.tool_calls[0], "function").arguments  # noqa: B009  # custom calls have none
    assert [receipt.served for receipt in gateway.receipts()[-2:]] == ["upstream", "upstream"]


def test_the_headers_say_who_answered_and_what_it_cost(client: OpenAI, gateway: Running, ask_about: Ask):
    given: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ask_about()}]}
    miss = client.chat.completions.with_raw_response.create(**given).headers
    hit = client.chat.completions.with_raw_response.create(**given).headers
    assert miss["cache-status"] == "pennyworth; fwd=miss"
    assert "age" not in miss
    assert miss["x-pennyworth-model"] == hit["x-pennyworth-model"] == "openai/gpt-4o-mini"
    assert (miss["x-pennyworth-saved"], hit["x-pennyworth-spent"]) == ("0", "0")
    assert miss["x-pennyworth-spent"] == hit["x-pennyworth-saved"] != "0"
    assert hit["cache-status"].startswith("pennyworth; hit; ttl=")
    assert hit["cache-status"].endswith("; detail=exact")
    assert 0 <= int(hit["age"]) < 60
    ids = {receipt.id for receipt in gateway.receipts()}
    assert {miss["x-pennyworth-receipt"], hit["x-pennyworth-receipt"]} <= ids


def test_a_streams_headers_come_with_its_head(client: OpenAI, ask_about: Ask):
    given: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ask_about()}], "stream": True}
    with client.chat.completions.with_streaming_response.create(**given) as live:
        assert live.headers["content-type"].startswith("text/event-stream")
        assert live.headers["x-pennyworth-receipt"]
        assert live.headers["cache-status"] == "pennyworth; fwd=miss"
        assert len(list(live.iter_lines())) > 3


def test_models_are_listed(client: OpenAI):
    assert client.models.list().data == []


async def test_the_asynchronous_client_gets_the_same(client: OpenAI, gateway: Running, ask_about: Ask):
    question = ask_about()
    async with AsyncOpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as asynchronous:
        messages: Any = [{"role": "user", "content": question}]
        whole = await asynchronous.chat.completions.create(model="gpt-4o-mini", messages=messages)
        events = [
            chunk
            async for chunk in await asynchronous.chat.completions.create(
                model="gpt-4o-mini", messages=messages, stream=True
            )
        ]
    assert whole == ask(client, question)
    assert events == stream(client, question)


def test_a_stream_left_early_by_the_sdk_is_booked_once(client: OpenAI, gateway: Running, ask_about: Ask):
    """The SDK stops reading at its last event, or wherever the program likes."""
    messages: Any = [{"role": "user", "content": ask_about()}]
    before = len(gateway.receipts())
    with client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True) as opened:
        next(iter(opened))
    ask(client, ask_about())
    assert len(gateway.receipts()) == before + 2


ERRORS: list[tuple[str, bytes, type[openai.APIStatusError]]] = [
    ("400 Bad Request", error_json("no such parameter", kind="invalid_request_error"), openai.BadRequestError),
    ("401 Unauthorized", error_json("Incorrect API key provided"), openai.AuthenticationError),
    ("403 Forbidden", error_json("not for you"), openai.PermissionDeniedError),
    ("404 Not Found", error_json("The model does not exist", code="model_not_found"), openai.NotFoundError),
    ("409 Conflict", error_json("busy"), openai.ConflictError),
    ("422 Unprocessable", error_json("cannot be done"), openai.UnprocessableEntityError),
    ("429 Too Many Requests", error_json("slow down", kind="rate_limit_error"), openai.RateLimitError),
    ("500 Oops", error_json("broken"), openai.InternalServerError),
    ("503 Unavailable", b"<html>overloaded</html>", openai.InternalServerError),
    ("529 Overloaded", error_json("overloaded"), openai.InternalServerError),
]


@pytest.mark.parametrize(("status", "body", "raised"), ERRORS, ids=[row[0] for row in ERRORS])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_providers_errors_arrive_as_the_sdks_exceptions(
    sdk: OpenAI,
    staged: Staged,
    ask_about: Ask,
    status: str,
    body: bytes,
    raised: type[openai.APIStatusError],
    streamed: bool,
):
    reply = last_reply(body, status=status, headers={"retry-after": "0", "x-ratelimit-remaining-requests": "0"})
    gateway, provider = staged
    provider.play(connection(send(reply)))
    client = sdk.with_options(base_url=gateway.base_url)
    with pytest.raises(raised) as caught:
        (stream if streamed else ask)(client, ask_about())
    assert type(caught.value) is raised
    assert caught.value.status_code == int(status[:3])
    assert caught.value.response.headers["retry-after"] == "0"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert (gateway.last().ending, gateway.last().status) == ("error", int(status[:3]))
    if raised in (openai.AuthenticationError, openai.PermissionDeniedError):
        assert "(OPENAI_API_KEY)" in caught.value.message
        assert "providers.openai" in caught.value.message
    elif body.startswith(b"{"):
        assert caught.value.body == json.loads(body)["error"]


def test_our_own_refusals_arrive_as_the_sdks_exceptions(sdk: OpenAI, scripted: MakeGateway):
    gateway, provider = scripted(limits={"max_body_bytes": 2000, "max_depth": 8})
    client = sdk.with_options(base_url=gateway.base_url)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "hi", model="")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "model")
    with pytest.raises(openai.BadRequestError, match="deeper than 8"):
        ask(client, "hi", extra_body={"deep": [[[[[[[[[]]]]]]]]]})
    with pytest.raises(openai.APIStatusError, match=r"limits\.max_body_bytes") as large:
        ask(client, "x" * 5000)
    assert large.value.status_code == 413
    with pytest.raises(openai.NotFoundError, match="base URL of an SDK ends in /v1"):
        ask(client.with_options(base_url=gateway.url), "hi")
    assert provider.connections == 0
    assert [receipt.status for receipt in gateway.receipts()] == [400, 400, 413]


def test_a_dead_provider_is_named_with_its_configuration_key(sdk: OpenAI):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with Running(plan_for(url)) as gateway:
            client = sdk.with_options(base_url=gateway.base_url)
            with pytest.raises(openai.InternalServerError, match="Connection refused") as caught:
                ask(client, "hi")
    assert caught.value.status_code == 502
    assert f"no connection to providers.openai.base_url = {url}" in caught.value.message


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_stream_that_is_cut_raises_in_the_sdk_and_is_not_kept(sdk: OpenAI, scripted: MakeGateway, abruptly: bool):
    events = chat_events(["Hel", "lo"])
    cut = send(last_stream(events[:2], ended=False))
    whole = last_stream(chat_events(["Hello"], usage=(9, 1)))
    gateway, provider = scripted([connection(cut, *([reset()] if abruptly else [])), connection(send(whole))])
    client = sdk.with_options(base_url=gateway.base_url)
    seen: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError, match="was not completed") as caught:
        seen.extend(
            client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True
            )
        )
    assert type(caught.value) is openai.APIError
    assert gateway.last().ending == "cut"
    assert text_of(stream(client, "hi")) == {0: "Hello"}
    assert provider.connections == 2


def test_a_body_that_is_cut_is_an_error_and_not_kept(sdk: OpenAI, scripted: MakeGateway):
    body = chat_json("hello")
    gateway, _ = scripted(
        [connection(send(last_reply(body[:-20], length=len(body)))), connection(send(last_reply(body)))]
    )
    client = sdk.with_options(base_url=gateway.base_url)
    with pytest.raises(openai.InternalServerError, match="broke off in the middle"):
        ask(client, "hi")
    assert ask(client, "hi").choices[0].message.content == "hello"
