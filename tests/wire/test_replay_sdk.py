"""A replayed reply, over a real socket, read by the official SDK: the same objects as the live one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json, event
from pennyworth.wire.chat import replay
from tests.wire.provider import SDK, accumulated, sdk
from tests.wire.recorded import Row

# Pydantic's, about content of Mistral's that is not OpenAI's.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

FIELDS = ("content", "refusal", "reasoning", "reasoning_content", "function_call", "annotations", "audio")


@pytest.fixture(scope="module")
def client() -> Iterator[SDK]:
    with sdk() as client:
        yield client


def some(rows: list[Row], most: int) -> list[Row]:
    """So many of them, from all over."""
    return rows[:: max(1, len(rows) // most)]


def whole_streams(recorded: list[Row]) -> list[Row]:
    found = [
        row for row in recorded if row.streamed and row.chunks and not any(chunk.get("error") for chunk in row.chunks)
    ]
    return some(found, 14)


def bodies(recorded: list[Row]) -> list[Row]:
    return some([row for row in recorded if not row.streamed and row.status == 200], 24)


def said(completion: ChatCompletion) -> list[dict[str, Any]]:
    """What a caller acts on, of every choice."""
    found = []
    for choice in completion.to_dict()["choices"]:
        message = choice.get("message") or {}
        calls = [
            (call.get("id"), call.get("type") or "function", call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
        ]
        details = [{**item, "index": 0} for item in message.get("reasoning_details") or ()]
        rest = {name: message.get(name) or None for name in FIELDS}
        found.append(
            {
                "calls": calls,
                "details": details,
                "finish": choice.get("finish_reason"),
                "logprobs": choice.get("logprobs"),
                **rest,
            }
        )
    return found


def without_usage(chunks: list[ChatCompletionChunk]) -> list[dict[str, Any]]:
    """The chunks of somebody who did not ask for usage."""
    found = [chunk.to_dict() for chunk in chunks]
    found = [chunk for chunk in found if chunk.get("choices") or not chunk.get("usage")]
    return [{name: value for name, value in chunk.items() if name != "usage" or value is not None} for chunk in found]


def test_a_stream_given_again_is_the_same_events(recorded: list[Row], client: SDK) -> None:
    for row in whole_streams(recorded):
        live = client.chunks(row.raw)
        again = client.chunks(replay.as_events(row.raw, streamed=True, usage=True))
        assert [chunk.to_dict() for chunk in again] == [chunk.to_dict() for chunk in live], row.id
        hidden = client.chunks(replay.as_events(row.raw, streamed=True, usage=False))
        assert [chunk.to_dict() for chunk in hidden] == without_usage(live), row.id


def test_a_stream_given_as_a_body_says_what_the_sdk_makes_of_the_stream(recorded: list[Row], client: SDK) -> None:
    for row in whole_streams(recorded):
        made = accumulated(client.chunks(row.raw))
        body = client.completion(replay.as_json(row.raw, streamed=True))
        ours, theirs = said(body), said(made)
        for one in (*ours, *theirs):
            one["details"] = [{**item, "format": ""} for item in one["details"]]  # the SDK repeats what is said again
        if any(isinstance(one["content"], list) for one in ours):
            continue  # Mistral's thinking, of which the SDK keeps the last part only
        assert ours == theirs, row.id
        assert body.object == "chat.completion"
        assert all(choice.message.role == "assistant" for choice in body.choices)
        stated = [chunk["usage"] for chunk in row.chunks if chunk.get("usage")]
        assert (body.usage.to_dict() if body.usage else None) == (stated[-1] if stated else None), row.id


@pytest.mark.parametrize("usage", [True, False])
def test_a_body_given_as_a_stream_adds_up_to_the_same_message(recorded: list[Row], client: SDK, usage: bool) -> None:
    for row in bodies(recorded):
        body = client.completion(row.raw)
        chunks = client.chunks(replay.as_events(row.raw, streamed=False, usage=usage))
        made = accumulated(chunks)
        assert said(made) == said(body), row.id
        assert (made.id, made.created, made.model, made.system_fingerprint) == (
            body.id, body.created, body.model, body.system_fingerprint,
        )  # fmt: skip
        assert made.usage == (body.usage if usage else None), row.id
        assert all(("usage" in chunk.to_dict()) == usage for chunk in chunks), row.id
        assert chunks[0].choices[0].delta.role == "assistant"


def test_calls_reasoning_log_probabilities_and_choices_survive_the_way_to_events(client: SDK) -> None:
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": f"f{i}", "arguments": f'{{"a":{i}}}'}}
        for i in range(3)
    ]
    logprobs = {"content": [{"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": []}], "refusal": None}
    message = {"tool_calls": calls, "reasoning_content": "because", "reasoning": "since"}
    raw = chat_json("hi", finish="tool_calls", message=message)
    body = client.completion(raw)
    assert said(accumulated(client.chunks(replay.as_events(raw, streamed=False, usage=False)))) == said(body)
    choices = [
        {"index": i, "message": {"role": "assistant", "content": f"{i}"}, "logprobs": logprobs, "finish_reason": reason}
        for i, reason in enumerate(("stop", "length", "content_filter"))
    ]
    raw = chat_json("", more={"choices": choices})
    made = accumulated(client.chunks(replay.as_events(raw, streamed=False, usage=True)))
    assert said(made) == said(client.completion(raw))
    assert [choice.finish_reason for choice in made.choices] == ["stop", "length", "content_filter"]


def test_a_body_goes_to_events_and_back(recorded: list[Row]) -> None:
    """Equal, but that calls lose the index streams give them, and an absent message is an empty one."""
    for row in [row for row in recorded if not row.streamed and row.status == 200]:
        back = replay.assemble(replay.as_events(row.raw, streamed=False, usage=True))
        assert isinstance(row.reply, dict)
        expected = {**row.reply, "choices": [as_assembled(choice) for choice in row.reply["choices"]]}
        assert back == expected, row.id


def as_assembled(choice: dict[str, Any]) -> dict[str, Any]:
    message = {"content": None, "role": "assistant", **(choice.get("message") or {})}
    if message.get("tool_calls"):
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in message["tool_calls"]]
    if message.get("reasoning_details"):
        message["reasoning_details"] = [{**item, "index": i} for i, item in enumerate(message["reasoning_details"])]
    return {"finish_reason": None, **choice, "message": message}


def test_an_error_within_a_stream_is_raised_by_the_sdk(client: SDK) -> None:
    raw = b"".join(chat_events(["a"], done=False)) + event({"error": {"message": "overloaded"}})
    for usage in (True, False):
        with pytest.raises(openai.APIError, match="overloaded"):
            client.chunks(replay.as_events(raw, streamed=True, usage=usage))
    with pytest.raises(openai.APIError, match="overloaded"):
        client.chunks(replay.as_events(b'{"error":{"message":"overloaded"}}\n', streamed=False, usage=False))


def test_events_with_crlf_comments_and_types_hide_usage_like_plain_ones(client: SDK) -> None:
    plain = chat_events(["Hel", "lo"], usage=(3, 2))
    live = without_usage(client.chunks(b"".join(plain)))
    dressed = [b": ping\n\n", *(b"event: chunk\n" + one for one in plain)]
    for raw in (b"".join(plain).replace(b"\n", b"\r\n"), b"".join(dressed), b"".join(dressed).replace(b"\n", b"\r")):
        hidden = client.chunks(replay.as_events(raw, streamed=True, usage=False))
        assert [chunk.to_dict() for chunk in hidden] == live
    assert replay.as_events(b"".join(plain), streamed=True, usage=False).endswith(DONE)
