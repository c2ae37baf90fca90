"""The official SDK asks for responses through the whole gateway: live, given again, refused, broken, and on the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from pennyworth.plan import Route
from pennyworth.sandbox import SandboxServer, check_answer
from pennyworth.testing.responses_bytes import response_events
from pennyworth.testing.scripted_server import connection, reset, send
from tests.door.conftest import MakeGateway
from tests.door.running import KEY, Running, plan_for
from tests.door.scripted_provider import last_stream

Ask = Callable[[], str]

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
SHAPES: list[dict[str, Any]] = [
    {},
    {"instructions": "Be brief."},
    {"model": "o4-mini", "reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    {"store": False, "tools": [TOOL]},
    {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}},
    {"user": "ann", "metadata": {"team": "a"}},
]


@pytest.fixture(scope="module")
def client(gateway: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def strict(sandbox: SandboxServer) -> Iterator[OpenAI]:
    """A client of a gateway whose route keeps no samples."""
    plan = plan_for(sandbox.base_url, routes=(Route(),))
    with Running(plan) as running, OpenAI(base_url=running.base_url, api_key="sk-any", max_retries=0) as made:
        yield made


def ask(client: OpenAI, question: Any, **fields: Any) -> Response:
    return client.responses.create(**{"model": "gpt-4o-mini", "input": question, **fields})


def stream(client: OpenAI, question: Any, **fields: Any) -> list[Any]:
    return list(client.responses.create(**{"model": "gpt-4o-mini", "input": question, **fields}, stream=True))


def final(client: OpenAI, question: Any, **fields: Any) -> Any:
    with client.responses.stream(**{"model": "gpt-4o-mini", "input": question, **fields}) as events:
        return events.get_final_response()


ALL = pytest.mark.parametrize("shape", SHAPES, ids=[",".join(shape) or "plain" for shape in SHAPES])


@ALL
def test_an_answer_given_again_is_the_same_object(
    client: OpenAI, gateway: Running, ask_about: Ask, shape: dict[str, Any]
):
    question = ask_about()
    first, again = ask(client, question, **shape), ask(client, question, **shape)
    assert first == again
    assert first.usage is not None
    miss, hit = gateway.receipts()[-2:]
    assert (miss.served, hit.served, miss.dialect, hit.dialect) == ("upstream", "exact", "responses", "responses")
    assert miss.usage is not None
    assert (miss.usage.input, miss.usage.output) == (first.usage.input_tokens, first.usage.output_tokens)


@ALL
def test_a_stream_given_again_is_the_same_list_of_events(client: OpenAI, ask_about: Ask, shape: dict[str, Any]):
    question = ask_about()
    live, again = stream(client, question, **shape), stream(client, question, **shape)
    assert live == again
    assert live[-1].type == "response.completed"


@ALL
def test_a_question_asked_one_way_is_answered_the_other_way(
    client: OpenAI, gateway: Running, ask_about: Ask, shape: dict[str, Any]
):
    question = ask_about()
    whole = ask(client, question, **shape)
    assert final(client, question, **shape).to_dict()["id"] == whole.id
    assert stream(client, question, **shape)[-1].response == whole
    question = ask_about()
    ended = stream(client, question, **shape)[-1].response
    assert ask(client, question, **shape) == ended
    assert [receipt.served for receipt in gateway.receipts()[-5:]] == [
        "upstream",
        "exact",
        "exact",
        "upstream",
        "exact",
    ]


async def test_many_who_ask_at_once_share_one_call(gateway: Running, ask_about: Ask):
    question, before = ask_about(), len(gateway.receipts())
    async with AsyncOpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as asking:
        body: dict[str, Any] = {"model": "gpt-4o-mini", "input": question}
        replies = await asyncio.gather(*[asking.responses.create(**body) for _ in range(8)])
    assert len({reply.id for reply in replies}) == 1
    served = [receipt.served for receipt in gateway.receipts()[before:]]
    assert served.count("upstream") == 1
    assert len(served) == 8


def test_the_answer_is_the_providers_and_the_bill_is_the_receipts(client: OpenAI, gateway: Running, sandbox: SandboxServer, ask_about: Ask):  # fmt: skip
    body = {"model": "gpt-4o-mini", "input": ask_about()}
    raw = client.responses.with_raw_response.create(**body)
    assert check_answer(raw.parse().output_text, body, KEY) is None
    line = [line for line in sandbox.control.bill() if line.request_id == raw.headers["x-request-id"]][-1]
    assert gateway.last().spent.pico == line.amount_pico > 0


NOT_KEPT = [
    {"store": True},
    {"background": True},
    {"tools": [{"type": "web_search"}]},
    {"include": ["web_search_call.action.sources"]},
    {"temperature": 0.7, "model": "gpt-4.1"},
]


@pytest.mark.parametrize("fields", NOT_KEPT, ids=[next(iter(fields)) for fields in NOT_KEPT])
def test_what_is_never_kept_is_asked_again(strict: OpenAI, ask_about: Ask, fields: dict[str, Any]):
    question = ask_about()
    raw = [
        strict.responses.with_raw_response.create(**{"model": "gpt-4o-mini", "input": question, **fields}) for _ in "12"
    ]
    assert raw[0].parse().id != raw[1].parse().id
    assert all(reply.headers["cache-status"].startswith("pennyworth; fwd=bypass") for reply in raw)


def test_a_conversation_goes_on_at_the_provider_and_is_not_kept(client: OpenAI, gateway: Running, ask_about: Ask):
    first = ask(client, ask_about())
    for _ in range(2):
        later = ask(client, "And then?", previous_response_id=first.id)
        assert later.usage is not None
        assert gateway.last().served == "upstream"


def test_nobody_reads_whose_question_it_was(client: OpenAI, ask_about: Ask):
    question = ask_about()
    for user in ("ann", "bob", "ann"):
        assert ask(client, question, user=user).user == user
        assert stream(client, question, user=user)[-1].response.user == user


def test_tool_calls_arrive_and_are_not_kept(client: OpenAI, gateway: Running, ask_about: Ask):
    question = f"FAULT:tool_calls {ask_about()}"
    call = ask(client, question, tools=[TOOL]).output[0]
    streamed = final(client, question, tools=[TOOL]).output[0]
    assert call.type == streamed.type == "function_call"
    assert (call.name, call.arguments) == (streamed.name, streamed.arguments)
    assert [receipt.served for receipt in gateway.receipts()[-2:]] == ["upstream", "upstream"]


@pytest.mark.parametrize(("fault", "ending"), [("length", "length"), ("content_filter", "filtered"), ("refusal", "complete")])  # fmt: skip
def test_what_is_no_good_answer_is_given_but_not_kept(
    client: OpenAI, gateway: Running, ask_about: Ask, fault: str, ending: str
):
    question = f"FAULT:{fault} {ask_about()}"
    for _ in range(2):
        ask(client, question)
        stream(client, question)
        assert {receipt.served for receipt in gateway.receipts()[-2:]} == {"upstream"}
        assert {receipt.ending for receipt in gateway.receipts()[-2:]} == {ending}


ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.APIStatusError),
    (404, openai.NotFoundError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
]


@pytest.mark.parametrize(("status", "error"), ERRORS)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_of_the_provider_is_the_sdks_own(client: OpenAI, ask_about: Ask, status: int, error: type[Exception], streamed: bool):  # fmt: skip
    with pytest.raises(error):
        ask(client, f"FAULT:status={status} {ask_about()}", stream=streamed)


@pytest.mark.parametrize(
    ("fields", "param"), [({"input": 7}, "input"), ({"input": [3]}, "input[0]"), ({"stream": "yes"}, "stream")]
)
def test_an_error_of_the_caller_names_the_field(client: OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "x", **fields)
    assert caught.value.param == param


def test_a_stream_that_breaks_off_is_raised_by_the_sdk(scripted: MakeGateway):
    *begun, _ = response_events(["Hel", "lo"])
    running, _ = scripted([connection(send(last_stream(begun[:6], ended=False)), reset())])
    with OpenAI(base_url=running.base_url, api_key="sk-any", max_retries=0) as asking:
        heard = iter(asking.responses.create(model="gpt-4o-mini", input="hi", stream=True))
        with pytest.raises(openai.APIError):
            list(heard)
    assert running.last().ending == "cut"
