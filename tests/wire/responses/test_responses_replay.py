"""A response in the form that is asked for, without a socket: what is said, in which order, what is passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.testing.responses_bytes import (
    call_item,
    message_item,
    response_body,
    response_event,
    response_events,
    response_json,
)
from pennyworth.wire import responses
from pennyworth.wire.chat.assembly import events
from pennyworth.wire.sse import data_of, read
from tests.wire.recorded import Row
from tests.wire.responses.recorded import record, record_json


def told(raw: bytes) -> list[dict[str, Any]]:
    """The events; that each says its type twice, and its number, is checked on the way."""
    found = []
    for number, one in enumerate(events(raw)):
        kind, data = read(one)
        event = json.loads(data)
        assert (kind.decode(), number) == (event["type"], event.pop("sequence_number"))
        found.append(event)
    return found


def streamed(*items: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return told(responses.as_events(response_json(*items, **more), streamed=False, usage=True))


def test_a_message_is_opened_said_said_again_and_closed() -> None:
    item = message_item("Hello")
    (part,) = item["content"]
    at = {"item_id": "msg_scripted", "output_index": 0, "content_index": 0}
    begun = {**response_body(status="in_progress"), "usage": None}
    assert streamed(item) == [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "Hello", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "Hello", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response_body(item)},
    ]  # fmt: skip


def test_calls_thoughts_refusals_and_quotations_have_events_of_their_own() -> None:
    cited = {"type": "url_citation", "url": "https://example.com"}
    refused = {**message_item(""), "content": [{"type": "refusal", "refusal": "no"}]}
    thought = {
        "id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
        "content": [{"type": "reasoning_text", "text": "ah"}],
    }  # fmt: skip
    custom = {"id": "ct", "type": "custom_tool_call", "name": "sh", "call_id": "c", "input": "ls"}
    search = {"id": "ws", "type": "web_search_call", "status": "completed"}
    found = streamed(
        thought, call_item("f", '{"a":1}'), custom, refused, message_item("a", annotations=[cited]), search
    )
    kinds = [(event["type"].removeprefix("response."), event.get("output_index")) for event in found]
    assert kinds == [
        ("created", None), ("in_progress", None),
        ("output_item.added", 0), ("reasoning_summary_part.added", 0), ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0), ("reasoning_summary_part.done", 0), ("content_part.added", 0),
        ("reasoning_text.delta", 0), ("reasoning_text.done", 0), ("content_part.done", 0), ("output_item.done", 0),
        ("output_item.added", 1), ("function_call_arguments.delta", 1), ("function_call_arguments.done", 1), ("output_item.done", 1),
        ("output_item.added", 2), ("custom_tool_call_input.delta", 2), ("custom_tool_call_input.done", 2), ("output_item.done", 2),
        ("output_item.added", 3), ("content_part.added", 3), ("refusal.delta", 3), ("refusal.done", 3), ("content_part.done", 3), ("output_item.done", 3),
        ("output_item.added", 4), ("content_part.added", 4), ("output_text.delta", 4), ("output_text.annotation.added", 4),
        ("output_text.done", 4), ("content_part.done", 4), ("output_item.done", 4),
        ("output_item.added", 5), ("output_item.done", 5),
        ("completed", None),
    ]  # fmt: skip
    assert [event["delta"] for event in found if "delta" in event] == ["hm", "ah", '{"a":1}', "ls", "no", "a"]
    opened = {event["output_index"]: event["item"] for event in found if event["type"] == "response.output_item.added"}
    assert (opened[0]["summary"], opened[0]["content"], opened[1]["arguments"], opened[2]["input"]) == ([], [], "", "")
    assert opened[5]["status"] == "in_progress"


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled"])
def test_the_last_event_says_how_it_ended(status: str) -> None:
    found = streamed(message_item("a"), status=status, completed_at=7)
    assert (found[-1]["type"], found[-1]["response"]["completed_at"]) == (f"response.{status}", 7)
    assert found[0]["response"]["completed_at"] is None


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_what_has_not_ended_does_not_end(status: str) -> None:
    raw = response_json(status=status)
    assert told(responses.as_events(raw, streamed=False, usage=True))[-1]["type"] == "response.in_progress"
    assert record(responses.as_events(raw, streamed=False, usage=True)).ending == "cut"


def test_an_empty_text_has_no_pieces() -> None:
    kinds = [event["type"] for event in streamed(message_item(""), call_item("f", ""))]
    assert not [kind for kind in kinds if kind.endswith(".delta")]
    assert kinds.count("response.output_item.done") == 2


def test_an_error_body_is_an_error_event() -> None:
    raw = b'{"error":{"message":"overloaded","code":"server_error","type":"server_error","param":null}}'
    (event,) = told(responses.as_events(raw, streamed=False, usage=True))
    assert (event["type"], event["message"], event["code"], event["param"]) == (
        "error",
        "overloaded",
        "server_error",
        None,
    )
    assert record(responses.as_events(raw, streamed=False, usage=True)).ending == "error"


def test_an_error_within_a_stream_says_it_in_both_ways() -> None:
    (event,) = told(responses.problem_event(502, "It broke off.", code="upstream_broken"))
    assert (event["type"], event["message"], event["code"]) == ("error", "It broke off.", "upstream_broken")
    assert event["error"] == json.loads(responses.problem(502, "It broke off.", code="upstream_broken"))["error"]


def test_items_that_the_end_of_a_stream_leaves_out_are_those_that_were_done() -> None:
    *begun, _ = response_events(["Hel", "lo"])
    for output in ([], None):
        end = response_event("response.completed", response={**response_body(), "output": output})
        assert json.loads(responses.as_json(b"".join([*begun, end]), streamed=True)) == response_body(
            message_item("Hello")
        )


def test_numbers_are_given_as_they_were_written() -> None:
    raw = b"".join(response_events(["a"], temperature=1.5)).replace(b'"temperature":1.5', b'"temperature":1.50e0')
    assert b'"temperature":1.50e0' in responses.as_json(raw, streamed=True)


def test_no_usage_is_hidden() -> None:
    for one in response_events(["a"]):
        assert responses.hide_usage(one) == one
    raw = response_json(message_item("a"))
    assert responses.as_events(raw, streamed=False, usage=False) == responses.as_events(raw, streamed=False, usage=True)


TEXT = st.text(max_size=8)
PARTS = st.one_of(
    st.builds(lambda text: message_item(text)["content"][0], TEXT),
    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": TEXT}),
)
ITEMS = st.one_of(
    st.builds(lambda parts: {**message_item(""), "content": parts}, st.lists(PARTS, max_size=2)),
    st.builds(call_item, TEXT, TEXT),
    st.builds(
        lambda text: {"id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, TEXT
    ),
    st.sampled_from([{"id": "ws", "type": "web_search_call"}, {"type": "of next year", "odd": "x"}]),
)


@given(st.lists(ITEMS, max_size=4), st.sampled_from(["completed", "incomplete", "failed"]))
def test_a_body_goes_to_events_and_back_and_is_recorded_alike(items: list[dict[str, Any]], status: str) -> None:
    raw = response_json(*items, status=status, incomplete_details={"reason": "max_output_tokens"})
    made = responses.as_events(raw, streamed=False, usage=True)
    assert json.loads(responses.as_json(made, streamed=True)) == json.loads(raw)
    first, again = record_json(raw), record(made)
    for name in ("ending", "usage", "finishes", "tools", "server_tools", "refusal", "fault", "text"):
        assert getattr(again, name) == getattr(first, name), name


ODD: list[Any] = [
    None, 7, "text", [], {}, {"type": None}, {"type": "response.completed"}, {"type": "response.completed", "response": 7},
    {"type": "response.completed", "response": {"output": 7}}, {"type": "response.created", "response": {"output": "x"}},
    {"type": "response.output_item.done", "item": [], "output_index": "x"}, {"type": "error"}, {"type": "error", "error": "x"},
    {"type": "response.output_item.done", "item": {"type": "message"}, "output_index": 1}, {"type": []},
]  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.sampled_from(ODD).map(lambda odd: b"data: " + json.dumps(odd).encode() + b"\n\n"), st.binary(max_size=20)
        ),
        max_size=6,
    )
)
def test_no_stream_is_too_odd_to_render(found: list[bytes]) -> None:
    raw = b"".join(found)
    assert isinstance(json.loads(responses.as_json(raw, streamed=True)), dict)
    assert responses.as_events(raw, streamed=True, usage=True) == raw


@pytest.mark.parametrize("output", [None, 7, "x", [None, 7, {}], [{"type": "message", "content": 7}], [{"type": "reasoning", "summary": [7]}], [{"type": "message", "content": [{"type": "output_text", "text": 7, "annotations": 7}]}], [{"type": []}]], ids=repr)  # fmt: skip
def test_no_body_is_too_odd_to_render(output: Any) -> None:
    raw = json.dumps({"status": "completed", "output": output}).encode()
    assert (
        json.loads(data_of(events(responses.as_events(raw, streamed=False, usage=True))[-1]))["response"]["output"]
        == output
    )


def test_no_recorded_stream_is_too_odd_to_render_wherever_it_breaks(recorded: list[Row]) -> None:
    for row in recorded:
        if row.streamed:
            for cut in range(0, len(row.raw) + 1, max(1, len(row.raw) // 9)):
                assert isinstance(json.loads(responses.as_json(row.raw[:cut], streamed=True)), dict), row.id
