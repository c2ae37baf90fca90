"""The official SDK asks a real sandbox for responses: what it parses, what it raises, and what stands on the bill."""

from __future__ import annotations

import gzip
import http.client
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from pennyworth.sandbox import Rule, SandboxServer, Settings, check_answer
from pennyworth.wire import responses
from pennyworth.wire.sse import EventSplitter

KEY = "sk-tenant-a"
TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]


@pytest.fixture(scope="module")
def sdk(running: SandboxServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=running.base_url, api_key=KEY, max_retries=0, timeout=10.0) as client:
        yield client


SAMPLE = Path(__file__).parents[1] / "data" / "cassettes" / "responses.jsonl"


def recorded(name: str) -> Any:
    """The reply of a recorded interaction: OpenAI's, of April 2026."""
    found = (json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines())
    return next(one["response_body"] for one in found if one["id"] == name)


def question(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "input": text, **more}


def final(sdk: OpenAI, body: dict[str, Any]) -> Any:
    with sdk.responses.stream(**body) as stream:
        return stream.get_final_response()


def test_a_reply_carries_the_answer_usage_and_identity(sandbox, sdk):
    body = question("What is money?", instructions="Be brief.")
    reply = sdk.responses.create(**body)
    assert check_answer(reply.output_text, body, KEY) is None
    assert (reply.object, reply.model, reply.status, reply.instructions) == (
        "response",
        "gpt-4o-mini",
        "completed",
        "Be brief.",
    )
    assert reply.usage.input_tokens == (3 + 1 + 3) + (3 + 1 + 4) + 3
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    (line,) = sandbox.control.bill()
    assert line.request_id == reply._request_id
    assert (line.usage.input, line.usage.output) == (reply.usage.input_tokens, reply.usage.output_tokens)
    assert line.amount_pico == 150_000 * line.usage.input + 600_000 * line.usage.output
    assert (line.completed, line.billed, line.stream, line.fault) == (True, True, False, "")


BODIES = {
    "a text": question("What is money?"),
    "items": question([{"role": "user", "content": [{"type": "input_text", "text": "What is money?"}]}]),
    "one that reasons": {**question("Think"), "model": "o4-mini"},
    "one that sums its thoughts up": {**question("Think", reasoning={"summary": "auto"}), "model": "o4-mini"},
    "encrypted thoughts": {**question("Think", include=["reasoning.encrypted_content"]), "model": "o4-mini"},
    "a call": question("FAULT:tool_calls please", tools=TOOLS),
    "a refusal": question("FAULT:refusal"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_stream_says_the_same_as_the_json_reply(sandbox, sdk, name):
    body = BODIES[name]
    whole, streamed = sdk.responses.parse(**body).to_dict(), final(sdk, body).to_dict()
    ids = [reply["id"] for reply in (whole, streamed)]
    said = [
        json.dumps({**reply, "created_at": 0, "completed_at": 0}).replace(name, "resp_x")
        for reply, name in zip((whole, streamed), ids, strict=True)
    ]
    assert said[0] == said[1]
    lines = list(sandbox.control.bill())
    assert [line.completed for line in lines] == [True, True]
    assert lines[0].usage == lines[1].usage


def test_a_stream_is_numbered_and_its_pieces_are_the_answer(sandbox, sdk):
    body = question("What is time?")
    events = list(sdk.responses.create(**body, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert check_answer(text, body, KEY) is None
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert (events[0].response.status, events[0].response.output, events[0].response.usage) == ("in_progress", [], None)
    assert events[-1].response.output_text == text


async def test_the_asynchronous_client_gets_the_same_both_ways(sandbox):
    body = question("What is time?")
    async with AsyncOpenAI(base_url=sandbox.base_url, api_key=KEY, max_retries=0) as asking:
        reply = await asking.responses.create(**body)
        async with asking.responses.stream(**body) as stream:
            streamed = await stream.get_final_response()
    assert check_answer(reply.output_text, body, KEY) is None
    assert reply.output_text == streamed.output_text


def test_tools_are_called_when_the_script_says_so(sandbox, sdk):
    body = question("FAULT:tool_calls please", tools=TOOLS)
    (call,) = sdk.responses.create(**body).output
    assert (call.type, call.name) == ("function_call", "weather")
    assert check_answer(json.loads(call.arguments)["sandbox"], body, KEY) is None
    assert sdk.responses.create(**question("hi", tools=TOOLS)).output[0].type == "message"


def test_a_refusal_is_a_refusal(sandbox, sdk):
    body = question("FAULT:refusal")
    (part,) = sdk.responses.create(**body).output[0].content
    assert part.type == "refusal"
    assert check_answer(part.refusal, body, KEY) is None


@pytest.mark.parametrize(("fault", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_may_be_incomplete(sandbox, sdk, fault, reason):
    body = question(f"FAULT:{fault}")
    reply = sdk.responses.create(**body)
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", reason)
    assert check_answer(reply.output_text, body, KEY, finish=fault) is None
    *_, last = sdk.responses.create(**body, stream=True)
    assert (last.type, last.response.output_text) == ("response.incomplete", reply.output_text)


def test_a_limit_cuts_the_answer_and_the_bill(sandbox, sdk):
    reply = sdk.responses.create(**{**question("Think", max_output_tokens=16), "model": "o4-mini"})
    assert (reply.status, reply.usage.output_tokens, [item.type for item in reply.output]) == (
        "incomplete",
        16,
        ["reasoning"],
    )
    (line,) = sandbox.control.bill()
    assert (line.usage.output, line.usage.reasoning, line.completed, line.billed) == (16, 16, True, True)


def test_a_long_prompt_is_cached_the_second_time_and_billed_at_the_cached_price(sandbox, sdk):
    body = question("lorem ipsum " * 700)
    first, second = (sdk.responses.create(**body).usage for _ in range(2))
    assert first.input_tokens == second.input_tokens == 3 + 1 + 1400 + 3 + 1  # the last space is a token of its own
    assert (first.input_tokens_details.cached_tokens, second.input_tokens_details.cached_tokens) == (0, 1408)
    cached_line = list(sandbox.control.bill())[1]
    assert cached_line.amount_pico == 1408 * 75_000 + cached_line.usage.output * 600_000


def test_a_stored_response_is_read_again_gone_on_from_and_deleted(sandbox, sdk):
    first = sdk.responses.create(**question("Remember this"))
    assert sdk.responses.retrieve(first.id).to_dict() == first.to_dict()
    second = sdk.responses.create(**question("And?", previous_response_id=first.id))
    third = sdk.responses.create(**question("And?", previous_response_id=second.id))
    alone = sdk.responses.create(**question("And?")).usage.input_tokens
    said = first.usage.input_tokens - 3 + (3 + 1 + first.usage.output_tokens)  # without what opens the answer
    assert second.usage.input_tokens == alone + said
    assert third.usage.input_tokens > second.usage.input_tokens
    sdk.responses.delete(first.id)
    for gone in (lambda: sdk.responses.retrieve(first.id), lambda: sdk.responses.delete(first.id)):
        with pytest.raises(openai.NotFoundError):
            gone()
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.create(**question("And?", previous_response_id=first.id))
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_response_is_not_stored_where_that_is_not_wanted_nor_for_another_tenant(sandbox, sdk):
    private = sdk.responses.create(**question("hi", store=False))
    mine = sdk.responses.create(**question("hi"))
    for client, name in ((sdk, private.id), (sdk.with_options(api_key="sk-tenant-b"), mine.id)):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(name)


def test_a_provider_remembers_so_many_responses_and_forgets_the_oldest():
    with SandboxServer(Settings(seed=1, stored=2)) as small, OpenAI(base_url=small.base_url, api_key=KEY) as asking:
        names = [asking.responses.create(**question(f"{i}")).id for i in range(3)]
        assert [asking.responses.retrieve(name).id for name in names[1:]] == names[1:]
        with pytest.raises(openai.NotFoundError):
            asking.responses.retrieve(names[0])


def test_what_is_made_in_the_background_is_queued_at_first(sandbox, sdk):
    body = question("Take your time", background=True)
    queued = sdk.responses.create(**body)
    assert (queued.status, queued.output, queued.usage) == ("queued", [], None)
    ready = sdk.responses.retrieve(queued.id)
    assert ready.status == "completed"
    assert check_answer(ready.output_text, body, KEY) is None
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(**body, store=False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "error"), [(401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)])  # fmt: skip
def test_a_status_by_script_becomes_the_exception_of_the_sdk_and_costs_nothing(sandbox, sdk, status, error, stream):
    with pytest.raises(error) as caught:
        sdk.responses.create(**question(f"FAULT:status={status}"), stream=stream)
    (line,) = sandbox.control.bill()
    assert (line.status, line.amount_pico, line.billed, line.completed) == (status, 0, False, False)
    assert caught.value.request_id == line.request_id


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "gpt-9", "input": "x"}, "model"),
        ({"model": "gpt-4o"}, "input"),
        ({"model": "gpt-4o", "input": []}, "input"),
        ({"model": "gpt-4o", "input": 7}, "input"),
        ({"model": "gpt-4o", "input": [{"content": "x"}]}, "input[0].role"),
        ({"model": "gpt-4o", "input": [{"role": "user", "content": 7}]}, "input[0].content"),
        ({"model": "gpt-4o", "input": ["x"]}, "input[0]"),
        (question("x", max_output_tokens=1), "max_output_tokens"),
        (question("x", instructions=7), "instructions"),
    ],
)
def test_what_openai_refuses_is_refused_with_the_field_at_fault(sandbox, sdk, body, param):
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.with_raw_response.create(**{"input": openai.omit, **body})
    assert caught.value.param == param
    assert [line.billed for line in sandbox.control.bill()] == [False]


def test_an_error_event_in_a_stream_is_raised_by_the_sdk(sandbox, sdk):
    events = iter(sdk.responses.create(**question("FAULT:error_event=6"), stream=True))
    assert len([next(events) for _ in range(6)]) == 6
    with pytest.raises(openai.APIError, match="server had an error"):
        next(events)
    assert [line.billed for line in sandbox.control.bill()] == [False]


BROKEN = {
    "done_without_finish": "cut", "malformed": "cut", "cut": "cut", "stall": "cut", "error_event": "error", "endless": "cut",
    "no_done": "complete", "length": "length", "content_filter": "filtered", "tool_calls": "tools", "huge=50000": "complete",
    "gzip": "complete",
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_what_the_provider_breaks_is_never_complete_and_shows_no_usage(sandbox, fault):
    """As this project's own recorder sees it."""
    body = json.dumps(question(f"FAULT:{fault}", stream=True)).encode()
    recorder = responses.recorder()
    raw, whole = received(sandbox, body)
    recorder.feed_all(EventSplitter().feed(raw))
    outcome = recorder.outcome(status=200, raw=raw, streamed=True, ended=whole, expected=1)
    assert outcome.ending == BROKEN[fault]
    if outcome.ending in ("cut", "error"):
        assert outcome.usage is None


def received(sandbox: SandboxServer, body: bytes) -> tuple[bytes, bool]:
    """What comes within a moment, and whether it was the whole."""
    head = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{sandbox.base_url}/responses", body, head)
    raw = b""
    with urllib.request.urlopen(asked, timeout=0.5) as reply:
        try:
            while len(raw) < 10**6:
                data = reply.read1(65536)
                if not data:
                    zipped = reply.headers["content-encoding"] == "gzip"
                    return (gzip.decompress(raw) if zipped else raw), not reply.length
                raw += data
        except (OSError, http.client.HTTPException):
            pass
    return raw, False


def test_a_cut_by_script_comes_at_its_byte(sandbox, sdk):
    sandbox.control.script([Rule(kind="cut", at_byte=700)])
    with pytest.raises(openai.APIError):
        list(sdk.responses.create(**question("hello"), stream=True))


def keys_of(value: Any) -> Any:
    """The fields of an object in their order, with those of the objects in it."""
    if isinstance(value, dict):
        return [(name, keys_of(inner)) for name, inner in value.items() if name not in ("moderation", "billing")]
    return [keys_of(inner) for inner in value] if isinstance(value, list) and value else None


def ask_raw(sandbox: SandboxServer, **more: Any) -> bytes:
    body = json.dumps(question("Say this is a test", instructions="You are a helpful assistant.", **more)).encode()
    head = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{sandbox.base_url}/responses", body, head)) as reply:
        return bytes(reply.read())


def test_a_reply_has_the_fields_of_a_recorded_one_in_their_order(sandbox):
    assert keys_of(json.loads(ask_raw(sandbox))) == keys_of(recorded("cas-eaba132e5b"))


def test_a_stream_has_the_events_of_a_recorded_one_with_their_fields_in_their_order(sandbox):
    def shapes(raw: str) -> list[Any]:
        found: list[Any] = []
        for block in raw.strip().split("\n\n"):
            kind, data = block.split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert kind == f"event: {event['type']}"
            shape = (event["type"], keys_of(event))
            if shape not in found:
                found.append(shape)
        return found

    assert shapes(ask_raw(sandbox, stream=True).decode()) == shapes(recorded("cas-006c2b581f"))
