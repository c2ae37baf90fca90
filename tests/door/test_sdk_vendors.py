"""The official SDKs of both vendors through the whole gateway, beyond chat completions whole: helpers for streams,
Messages, Responses, embeddings; and each vendor's SDK before a provider that speaks the other's dialect alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from pennyworth.sandbox import SandboxServer
from tests.door.running import Running
from tests.door.vendors import gateway_for, needs

Ask = Callable[[], str]
CLAUDE = "claude-sonnet-5"
PATIENT = {"x-pennyworth-timeout": "60"}
"""The SDK tells how long it waits, and the gateway would say that it was too long at the very moment."""

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
TOOL: Any = {"name": "weather", "input_schema": WEATHER}
ERRORS = [
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (403, "PermissionDeniedError"),
    (404, "NotFoundError"),
    (409, "ConflictError"),
    (422, "UnprocessableEntityError"),
    (429, "RateLimitError"),
    (500, "InternalServerError"),
    (529, "OverloadedError"),
]


class House(NamedTuple):
    """A gateway and both SDKs before it."""

    gateway: Running
    openai: OpenAI
    anthropic: Anthropic


@pytest.fixture(scope="module")
def houses(sandbox: SandboxServer) -> Iterator[dict[str, House]]:
    """By the one dialect that its provider speaks; "" for all of them."""
    with (
        OpenAI(base_url="http://127.0.0.1:1/v1", api_key="sk-any", max_retries=0, timeout=10.0) as one,
        Anthropic(base_url="http://127.0.0.1:1", api_key="sk-any", max_retries=0, timeout=10.0) as other,
        Running(gateway_for(sandbox.base_url)) as every,
        Running(gateway_for(sandbox.base_url, "chat")) as chat,
        Running(gateway_for(sandbox.base_url, "messages")) as messages,
    ):
        yield {
            name: House(made, one.with_options(base_url=made.base_url), other.with_options(base_url=made.url))
            for name, made in (("", every), ("chat", chat), ("messages", messages))
        }


@pytest.fixture
def house(houses: dict[str, House]) -> House:
    return houses[""]


def turn(question: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}], **more}


def claude(question: str, **more: Any) -> dict[str, Any]:
    return turn(question, **{"model": CLAUDE, "max_tokens": 400, **more})


def text_of(message: Any) -> str:
    return "".join(getattr(block, "text", "") for block in message.content)


def put_together(client: OpenAI, body: dict[str, Any]) -> Any:
    with client.chat.completions.stream(**body) as stream:
        return stream.get_final_completion()


def final(client: Anthropic, body: dict[str, Any]) -> Any:
    with client.messages.stream(**body) as stream:
        return stream.get_final_message()


def responded(client: OpenAI, body: dict[str, Any]) -> Any:
    with client.responses.stream(**body) as stream:
        return stream.get_final_response()


def test_openais_helper_puts_the_same_completion_together_live_and_given_again(house: House, ask_about: Ask):
    body = turn(ask_about())
    live = put_together(house.openai, body)
    assert put_together(house.openai, body) == live
    assert live.choices[0].message.content == house.openai.chat.completions.create(**body).choices[0].message.content


def test_openais_helper_puts_tool_calls_together(house: House, ask_about: Ask):
    body = turn(f"FAULT:tool_calls {ask_about()}", tools=[FUNCTION], tool_choice="required")
    whole = house.openai.chat.completions.create(**body).choices[0].message.tool_calls
    streamed = put_together(house.openai, body).choices[0].message.tool_calls
    assert [call.function.arguments for call in streamed] == [call.function.arguments for call in whole]


@needs("messages")
def test_a_message_given_again_is_the_same_object(house: House, ask_about: Ask):
    body = claude(ask_about())
    live, again = house.anthropic.messages.create(**body), house.anthropic.messages.create(**body)
    assert live == again
    assert live.stop_reason == "end_turn"
    assert live.usage.input_tokens > 0
    assert house.gateway.last().served == "exact"


@needs("messages")
def test_a_stream_of_a_message_given_again_is_the_same_list_of_events(house: House, ask_about: Ask):
    body = claude(ask_about(), stream=True)
    live, again = list(house.anthropic.messages.create(**body)), list(house.anthropic.messages.create(**body))
    assert live == again
    assert live[-1].type == "message_stop"


@needs("messages")
def test_anthropics_helper_puts_the_same_message_together(house: House, ask_about: Ask):
    body = claude(ask_about())
    live = final(house.anthropic, body)
    assert final(house.anthropic, body) == live
    assert text_of(house.anthropic.messages.create(**body)) == text_of(live)


@needs("messages")
def test_a_tool_use_is_the_same_whole_and_streamed(house: House, ask_about: Ask):
    body = claude(f"FAULT:tool_calls {ask_about()}", tools=[TOOL], tool_choice={"type": "any"})
    whole, streamed = house.anthropic.messages.create(**body), final(house.anthropic, body)
    assert whole.stop_reason == streamed.stop_reason == "tool_use"
    assert [b.input for b in streamed.content if b.type == "tool_use"] == [
        b.input for b in whole.content if b.type == "tool_use"
    ]


@needs("messages")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "name"), ERRORS)
def test_the_providers_errors_arrive_as_anthropics_exceptions(
    house: House, ask_about: Ask, status: int, name: str, streamed: bool
):
    with pytest.raises(anthropic.APIStatusError) as caught:
        house.anthropic.messages.create(**claude(f"FAULT:status={status} {ask_about()}", stream=streamed))
    assert type(caught.value).__name__ == name
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"


@needs("messages")
def test_a_message_that_does_not_come_in_time_is_the_sdks_own_timeout(house: House, ask_about: Ask):
    with pytest.raises(anthropic.APITimeoutError):
        house.anthropic.with_options(timeout=0.3).messages.create(
            **claude(f"FAULT:hang {ask_about()}"), extra_headers=PATIENT
        )


@needs("messages")
def test_a_stream_of_a_message_that_breaks_off_raises(house: House, ask_about: Ask):
    with pytest.raises(anthropic.APIError):
        list(house.anthropic.messages.create(**claude(f"FAULT:cut=4 {ask_about()}", stream=True)))


@needs("responses")
def test_a_response_given_again_is_the_same_object_and_its_stream_the_same_events(house: House, ask_about: Ask):
    body: Any = {"model": "gpt-4o-mini", "input": ask_about(), "store": False}
    live, again = house.openai.responses.create(**body), house.openai.responses.create(**body)
    assert live == again
    assert live.output_text
    body = {**body, "input": ask_about(), "stream": True}
    assert list(house.openai.responses.create(**body)) == list(house.openai.responses.create(**body))


@needs("responses")
def test_openais_helper_for_responses_ends_in_the_same_response(house: House, ask_about: Ask):
    body = {"model": "gpt-4o-mini", "input": ask_about(), "store": False}
    live = responded(house.openai, body)
    assert responded(house.openai, body) == live
    assert live.output_text


@needs("responses")
@pytest.mark.parametrize(("status", "name"), ERRORS)
def test_the_providers_errors_arrive_as_openais_exceptions_of_responses(
    house: House, ask_about: Ask, status: int, name: str
):
    with pytest.raises(openai.APIStatusError) as caught:
        house.openai.responses.create(model="gpt-4o-mini", input=f"FAULT:status={status} {ask_about()}", store=False)
    assert type(caught.value).__name__ == (name if status < 500 else "InternalServerError")
    assert caught.value.status_code == status


@needs("embeddings")
@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
def test_embeddings_given_again_are_the_same_numbers(house: House, ask_about: Ask, encoding: dict[str, Any]):
    body: Any = {"model": "text-embedding-3-small", "input": [ask_about(), ask_about()], **encoding}
    live, again = house.openai.embeddings.create(**body), house.openai.embeddings.create(**body)
    assert live.data == again.data
    assert live.data[0].embedding


@needs("translation", "messages")
def test_openais_sdk_asks_a_provider_that_speaks_messages_alone(houses: dict[str, House], ask_about: Ask):
    client, body = houses["messages"].openai, claude(ask_about())
    live, again = client.chat.completions.create(**body), client.chat.completions.create(**body)
    assert live == again
    assert live.choices[0].finish_reason == "stop"
    assert live.usage is not None
    assert put_together(client, body).choices[0].message.content == live.choices[0].message.content
    called = client.chat.completions.create(
        **claude(f"FAULT:tool_calls {ask_about()}", tools=[FUNCTION], tool_choice="required")
    )
    assert called.choices[0].finish_reason == "tool_calls"
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**claude(f"FAULT:status=429 {ask_about()}"))


@needs("translation", "messages")
def test_anthropics_sdk_asks_a_provider_that_speaks_chat_alone(houses: dict[str, House], ask_about: Ask):
    client, body = houses["chat"].anthropic, claude(ask_about(), model="gpt-4o-mini")
    live, again = client.messages.create(**body), client.messages.create(**body)
    assert live == again
    assert live.stop_reason == "end_turn"
    assert text_of(final(client, body)) == text_of(live)
    called = final(
        client,
        claude(f"FAULT:tool_calls {ask_about()}", model="gpt-4o-mini", tools=[TOOL], tool_choice={"type": "any"}),
    )
    assert called.stop_reason == "tool_use"
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**claude(f"FAULT:status=429 {ask_about()}", model="gpt-4o-mini"))
    counted = client.messages.count_tokens(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
    assert counted.input_tokens > 0


@needs("translation", "responses")
@pytest.mark.parametrize(("before", "model"), [("chat", "gpt-4o-mini"), ("messages", CLAUDE)])
def test_responses_are_asked_of_a_provider_that_does_not_speak_them(
    houses: dict[str, House], ask_about: Ask, before: str, model: str
):
    client, body = (
        houses[before].openai,
        {"model": model, "input": ask_about(), "store": False, "max_output_tokens": 400},
    )
    live = client.responses.create(**body)
    assert live.output_text
    assert client.responses.create(**body).output_text == live.output_text
    assert responded(client, body).output_text == live.output_text
