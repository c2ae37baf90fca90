"""A reply in the form that is asked for, without a socket: what is said, what is hidden, what is passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json, event
from pennyworth.wire.chat import replay
from pennyworth.wire.sse import data_of
from tests.wire.recorded import Row, record, record_json


def delta(delta: dict[str, Any], index: int = 0, **beside: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": None, **beside}
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]})


def message(*deltas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = replay.assemble(b"".join(delta(one) for one in deltas))["choices"][0]["message"]
    return made


def call(
    index: int | None = None, id: str | None = None, name: str | None = None, arguments: str = ""
) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"function": function} | ({"index": index} if index is not None else {}) | ({"id": id} if id else {})


def test_texts_concatenate_and_what_is_said_again_does_not() -> None:
    made = message(
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"role": "assistant", "content": "lo"},
        {"content": None},
        {},
    )
    assert made == {"role": "assistant", "content": "Hello"}


def test_reasoning_and_refusal_concatenate_too() -> None:
    made = message(
        {"reasoning_content": "a", "reasoning": "x"},
        {"reasoning_content": "b"},
        {"refusal": None},
        {"refusal": "n"},
        {"refusal": "o"},
    )
    assert made == {"reasoning_content": "ab", "reasoning": "x", "refusal": "no", "role": "assistant", "content": None}


CALLS = [
    ("in pieces", [[call(0, "a", "f")], [call(0, arguments='{"x"')], [call(0, arguments=":1}")]], [("a", "f", '{"x":1}')]),
    ("two, one after the other", [[call(0, "a", "f")], [call(0, arguments="1")], [call(1, "b", "g")], [call(1, arguments="2")]], [("a", "f", "1"), ("b", "g", "2")]),
    ("two, interleaved", [[call(0, "a", "f"), call(1, "b", "g")], [call(1, arguments="2"), call(0, arguments="1")]], [("a", "f", "1"), ("b", "g", "2")]),
    ("two in one delta, several pieces", [[call(0, "a", "f"), call(0, arguments="1"), call(0, arguments="2")]], [("a", "f", "12")]),
    ("id and name said again", [[call(0, "a", "f", "1")], [call(0, "a", "f", "2")]], [("a", "f", "12")]),
    ("a new id for every piece", [[call(0, "a", "f", "1")], [call(0, "b", None, "2")]], [("a", "f", "12")]),
    ("Gemini: every call has index 0", [[call(0, "a", "f", "1")], [call(0, "b", "g", "2")]], [("a", "f", "1"), ("b", "g", "2")]),
    ("Gemini: no index at all", [[call(None, "a", "f", "1")], [call(None, "b", "g", "2")]], [("a", "f", "1"), ("b", "g", "2")]),
]  # fmt: skip


@pytest.mark.parametrize(("deltas", "calls"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_tool_calls_merge_by_index(deltas: list[list[Any]], calls: list[tuple[str, str, str]]) -> None:
    made = message(*[{"tool_calls": calls} for calls in deltas])["tool_calls"]
    assert [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in made] == calls
    assert not any("index" in one for one in made)


def test_a_function_call_of_the_old_kind_merges() -> None:
    made = message(
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
    )
    assert made["function_call"] == {"name": "f", "arguments": "{}"}


def test_thinking_in_parts_followed_by_text_is_one_list_of_parts() -> None:
    def think(text: str) -> dict[str, Any]:
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}

    made = message(
        {"role": "assistant", "content": ""}, think("Let me "), think("see."), {"content": "It is "}, {"content": "4."}
    )
    assert made["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]},
        {"type": "text", "text": "It is 4."},
    ]
    assert message({"content": "a"}, {"content": "b"}, think("c"))["content"][0] == {"type": "text", "text": "ab"}


def test_reasoning_details_merge_by_index_within_a_type() -> None:
    def detail(type: str, **more: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": type, "index": 0, "format": "x", **more}]}

    made = message(
        detail("reasoning.text", text="a"),
        detail("reasoning.text", text="b", signature="s"),
        detail("reasoning.encrypted", data="d"),
    )
    assert made["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "format": "x", "text": "ab", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 0, "format": "x", "data": "d"},
    ]


def test_log_probabilities_add_up_and_filter_results_are_said_again() -> None:
    one, other = {"token": "a", "logprob": -1.0}, {"token": "b", "logprob": -0.25}
    raw = b"".join(
        [
            delta(
                {"content": "a"},
                logprobs={"content": [one], "refusal": None},
                content_filter_results={"hate": {"filtered": False}},
            ),
            delta({"content": "b"}, logprobs={"content": [other], "refusal": None}, content_filter_results={}),
            delta({}, logprobs=None, finish_reason="stop", content_filter_results={"violence": {"filtered": False}}),
        ]
    )
    choice = replay.assemble(raw)["choices"][0]
    assert choice["logprobs"] == {"content": [one, other], "refusal": None}
    assert choice["content_filter_results"] == {"hate": {"filtered": False}, "violence": {"filtered": False}}
    assert choice["finish_reason"] == "stop"


def test_choices_are_kept_apart_and_put_in_order() -> None:
    raw = b"".join(
        [
            delta({"content": "b"}, 1),
            delta({"content": "a"}, 0),
            delta({"content": "B"}, 1),
            delta({}, 1, finish_reason="stop"),
        ]
    )
    choices = replay.assemble(raw)["choices"]
    assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in choices] == [
        (0, "a", None),
        (1, "bB", "stop"),
    ]


def test_the_reply_keeps_its_name_and_loses_its_padding() -> None:
    chunks = [
        {"id": "", "model": "", "created": 0, "object": "", "choices": [], "prompt_filter_results": [1]},
        {
            "id": "a",
            "model": "m",
            "created": 5,
            "choices": [{"index": 0, "delta": {"content": "x"}}],
            "obfuscation": "Zq",
            "p": "abc",
        },
        {"id": "b", "model": "m", "created": 9, "choices": [], "usage": {"prompt_tokens": 1}, "x_groq": {"id": "r"}},
        {"id": "", "model": "", "choices": [], "usage": None, "service_tier": "default"},
    ]
    body = replay.assemble(b"".join(event(one) for one in chunks))
    choices = body.pop("choices")
    assert choices == [{"index": 0, "message": {"content": "x", "role": "assistant"}, "finish_reason": None}]
    assert body == {
        "id": "a", "model": "m", "created": 5, "object": "chat.completion", "prompt_filter_results": [1],
        "usage": {"prompt_tokens": 1}, "x_groq": {"id": "r"}, "service_tier": "default",
    }  # fmt: skip


def test_a_message_given_whole_at_the_end_replaces_its_pieces() -> None:
    whole = {"role": "assistant", "content": "Hello."}
    raw = b"".join(
        [
            delta({"content": "Hel"}),
            delta({"content": "lo"}),
            event({"choices": [{"index": 0, "message": whole, "finish_reason": "stop"}]}),
        ]
    )
    assert replay.assemble(raw)["choices"] == [{"index": 0, "message": whole, "finish_reason": "stop"}]


def test_30_000_pieces_are_put_together_in_one_go() -> None:
    raw = delta({"content": "abcdefghij"}) * 30_000 + delta({}, finish_reason="stop") + DONE
    assert replay.assemble(raw)["choices"][0]["message"]["content"] == "abcdefghij" * 30_000


# What cannot be read is passed over.

ODD: list[Any] = [
    None, True, 0, -1, 1.5, "", "text", [], [None], [[]], [1], ["a"], {}, {"index": None}, {"index": "0"}, {"index": -1}, {"index": 10**30},
    {"index": 0, "delta": None}, {"delta": []}, {"delta": {"content": 7}}, {"delta": {"tool_calls": 3}}, {"delta": {"tool_calls": [None, 1, {"index": []}]}},
    {"delta": {"tool_calls": {"a": 1}}}, {"delta": {"content": {"a": []}, "role": []}}, {"message": "hello"}, {"message": {"tool_calls": "x"}},
    {"logprobs": {"content": "x"}}, {"logprobs": [1]}, {"finish_reason": {"a": 1}}, {"delta": {"content": [{"type": []}, {"type": "text"}]}},
]  # fmt: skip
odd_chunks = st.one_of(
    st.sampled_from(ODD),
    st.builds(
        lambda choices: {"choices": choices},
        st.one_of(st.sampled_from(ODD), st.lists(st.sampled_from(ODD), max_size=3)),
    ),
)


@given(
    st.lists(
        st.one_of(
            odd_chunks.map(lambda odd: event(json.dumps(odd).encode())),
            st.binary(max_size=20).map(event),
            st.binary(max_size=20),
        ),
        max_size=6,
    )
)
def test_no_stream_is_too_odd_to_render(events: list[bytes]) -> None:
    raw = b"".join(events)
    body = json.loads(replay.as_json(raw, streamed=True))
    assert body["object"] == "chat.completion"
    assert isinstance(body["choices"], list)
    assert replay.as_events(raw, streamed=True, usage=True) == raw
    replay.as_events(raw, streamed=True, usage=False)


def test_no_recorded_stream_is_too_odd_to_render_wherever_it_breaks(recorded: list[Row]) -> None:
    for row in recorded:
        if row.streamed:
            for cut in range(0, len(row.raw) + 1, max(1, len(row.raw) // 5)):
                body = json.loads(replay.as_json(row.raw[:cut], streamed=True))
                assert body["object"] == "chat.completion", row.id


def test_a_deep_chunk_said_twice_is_passed_over() -> None:
    deep: dict[str, Any] = {}
    for _ in range(700):
        deep = {"a": deep}
    raw = delta(deep) * 2 + delta({"content": "x"})
    assert replay.assemble(raw)["choices"][0]["message"]["content"] == "x"


def test_half_characters_in_two_chunks_become_a_whole_one() -> None:
    """A server that cuts texts by UTF-16 units, such as one in JavaScript, sends half a pair in each chunk."""
    halves = [b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}' % half for half in (b"\\ud83d", b"\\ude00")]
    body = json.loads(replay.as_json(b"".join(event(half) for half in halves), streamed=True))
    assert body["choices"][0]["message"]["content"] == "😀"


def test_a_body_that_only_loose_readers_take_is_still_given_as_events() -> None:
    raw = b'{"id":"a","choices":[{"index":0,"message":{"content":"\\ud83d"},"finish_reason":"stop","logprobs":{"content":[NaN]}}]}'
    events = replay.events(replay.as_events(raw, streamed=False, usage=False))
    assert json.loads(data_of(events[1]))["choices"][0]["delta"]["content"] == "\ud83d"
    assert events[-1] == DONE


# Bodies as events.


def test_a_body_as_events_is_recorded_like_the_body() -> None:
    for raw in (chat_json("hello"), chat_json("", finish="length"), chat_json(None, finish="content_filter")):
        streamed = replay.as_events(raw, streamed=False, usage=True)
        first, again = record_json(raw), record(streamed)
        assert (again.ending, again.usage, again.finishes, again.served_by) == (
            first.ending,
            first.usage,
            first.finishes,
            first.served_by,
        )


def test_the_role_comes_first_then_the_text_then_the_reason() -> None:
    events = replay.events(replay.as_events(chat_json("hello"), streamed=False, usage=True))
    chunks = [json.loads(data_of(one)) for one in events[:-1]]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:3]] == ["", "hello", None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:3]] == [None, None, "stop"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[3]["choices"] == []
    assert chunks[3]["usage"]["prompt_tokens"] == 10
    assert [chunk["usage"] for chunk in chunks[:3]] == [None] * 3
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert events[-1] == DONE


def test_calls_that_all_have_index_0_stay_apart_as_events() -> None:
    calls = [call(0, "a", "f", "1"), call(0, "b", "f", "2"), call(0, None, None, "3")]
    events = replay.as_events(chat_json(None, message={"tool_calls": calls}), streamed=False, usage=False)
    made = replay.assemble(events)["choices"][0]["message"]["tool_calls"]
    assert [one["function"]["arguments"] for one in made] == ["1", "2", "3"]


def test_the_form_it_came_in_is_given_byte_for_byte() -> None:
    raw = b' {"choices" : [ ]  ,"x":1.50}\n'
    assert replay.as_json(raw, streamed=False) == raw
    stream = b": hi\r\n\r\n" + b"".join(chat_events(["a"], usage=(1, 1)))
    assert replay.as_events(stream, streamed=True, usage=True) == stream


def test_events_are_listed_with_a_last_one_that_has_no_end() -> None:
    assert replay.events(b"data: a\n\ndata: b") == [b"data: a\n\n", b"data: b"]
    assert replay.events(b"data: a\n\n") == [b"data: a\n\n"]
    assert replay.events(b"") == []
