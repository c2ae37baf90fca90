"""A replayed response, over a real socket, read by the official SDK: the same objects as the live one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from pennyworth.testing.responses_bytes import call_item, message_item, response_body, response_events, response_json
from pennyworth.wire import responses
from tests.wire.provider import SDK, sdk
from tests.wire.recorded import Row
from tests.wire.responses.recorded import last_response

# Pydantic's, about fields of providers that are not OpenAI's.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


class Capital(BaseModel):
    city: str


@pytest.fixture(scope="module")
def client() -> Iterator[SDK]:
    with sdk() as client:
        yield client


def body_of(client: SDK, raw: bytes) -> Response:
    return client.asking(raw).responses.create(model="m", input="hello")


def parsed_of(client: SDK, raw: bytes) -> Response:
    """The same with the fields that parsing adds, as the SDK's stream has them."""
    return client.asking(raw).responses.parse(model="m", input="hello")


def events_of(client: SDK, raw: bytes) -> list[ResponseStreamEvent]:
    return list(client.asking(raw).responses.create(model="m", input="hello", stream=True))


def final_of(client: SDK, raw: bytes) -> Response:
    """What the SDK itself makes of a stream."""
    with client.asking(raw).responses.stream(model="m", input="hello") as stream:
        return stream.get_final_response()


def completed(recorded: list[Row]) -> list[Row]:
    return [row for row in recorded if row.status == 200 and last_response(row)["status"] == "completed"]


def from_one_start(row: Row) -> bool:
    """A stream that is joined later does not begin with its beginning, and OpenRouter's gives items another name at its
    end: the SDK's helper takes neither."""
    return row.chunks[0]["type"] == "response.created" and row.provider != "openrouter"


def test_a_body_given_as_a_stream_adds_up_to_the_same_response(recorded: list[Row], client: SDK) -> None:
    for row in completed(recorded):
        raw = json.dumps(last_response(row)).encode()
        live = parsed_of(client, raw)
        events = responses.as_events(raw, streamed=False, usage=True)
        assert final_of(client, events).to_dict() == live.to_dict(), row.id
        texts = [event.delta for event in events_of(client, events) if event.type == "response.output_text.delta"]
        assert "".join(texts) == live.output_text, row.id


def test_a_stream_given_as_a_body_is_what_the_sdk_makes_of_the_stream(recorded: list[Row], client: SDK) -> None:
    for row in completed(recorded):
        if row.streamed:
            body = responses.as_json(row.raw, streamed=True)
            ended = events_of(client, row.raw)[-1]
            assert ended.type == "response.completed"
            assert body_of(client, body).to_dict() == ended.response.to_dict(), row.id
            if from_one_start(row):
                assert parsed_of(client, body).to_dict() == final_of(client, row.raw).to_dict(), row.id


def test_a_stream_given_again_is_the_same_events(recorded: list[Row], client: SDK) -> None:
    for row in completed(recorded):
        if row.streamed:
            live = [event.to_dict() for event in events_of(client, row.raw)]
            again = events_of(client, responses.as_events(row.raw, streamed=True, usage=False))
            assert [event.to_dict() for event in again] == live, row.id


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_to_be_parsed_is_parsed_alike(client: SDK, streamed: bool) -> None:
    said = '{"city":"Paris"}'
    raw = response_json(message_item(said))
    if streamed:
        events = responses.as_events(raw, streamed=False, usage=True)
        with client.asking(events).responses.stream(model="m", input="x", text_format=Capital) as stream:
            parsed = stream.get_final_response()
    else:
        body = responses.as_json(b"".join(response_events(['{"city":', '"Paris"}'])), streamed=True)
        parsed = client.asking(body).responses.parse(model="m", input="x", text_format=Capital)
    assert parsed.output_parsed == Capital(city="Paris")


def test_calls_come_with_their_arguments_whole(client: SDK) -> None:
    raw = response_json(call_item("f", '{"a":1}'), call_item("g", '{"b":2}'))
    final = final_of(client, responses.as_events(raw, streamed=False, usage=True))
    calls = [(item.name, item.arguments, item.call_id) for item in final.output if item.type == "function_call"]
    assert calls == [("f", '{"a":1}', "call_f"), ("g", '{"b":2}', "call_g")]


def test_an_incomplete_response_is_seen_as_such_both_ways(client: SDK) -> None:
    more: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    raw = response_json(message_item("Hel"), **more)
    ended = events_of(client, responses.as_events(raw, streamed=False, usage=True))[-1]
    assert ended.type == "response.incomplete"
    assert ended.response.to_dict() == body_of(client, raw).to_dict() == {**response_body(message_item("Hel"), **more)}


def test_an_error_within_a_stream_is_raised_by_the_sdk(client: SDK) -> None:
    """So that half an answer does not pass for a whole one to a caller who looks at pieces of text only."""
    raw = b"".join(
        [*response_events(["a"])[:-1], responses.problem_event(502, "It broke off.", code="upstream_broken")]
    )
    with pytest.raises(openai.APIError, match="It broke off") as caught:
        events_of(client, raw)
    assert caught.value.code == "upstream_broken"
    with pytest.raises(openai.APIError, match="It broke off"):
        final_of(client, raw)
