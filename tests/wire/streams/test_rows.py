"""What a stream says, and what another dialect's reader gets: the cases that no recording holds."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from pennyworth.request import Dialect
from pennyworth.testing.chat_bytes import DONE, chat_events, event
from pennyworth.wire.translate import StreamTranslator
from tests.wire.streams.meaning import by_sdk, plainly

OTHERS: tuple[Dialect, ...] = ("messages", "responses")
NOT_MESSAGES: tuple[Dialect, ...] = ("chat", "responses")


def into(dialect: Dialect, raw: bytes, origin: Dialect = "chat", *, usage: bool = True) -> bytes:
    translator = StreamTranslator(origin, dialect, usage=usage)
    return translator.feed(raw) + translator.finish()


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event(json.dumps({"id": "x", "created": 5, "model": "m", "choices": [choice]}).encode())


def call(index: int, arguments: str, name: str = "") -> bytes:
    named = {"id": f"call_{index}", "type": "function"} if name else {}
    return chunk(
        {
            "tool_calls": [
                {"index": index, **named, "function": {**({"name": name} if name else {}), "arguments": arguments}}
            ]
        }
    )


def said(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def message(*blocks: bytes, stop: str = "end_turn", sequence: str | None = None) -> bytes:
    begun: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
    }
    usage = {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 1}
    return b"".join((
        said("message_start", message={**begun, "usage": usage}), said("ping"), *blocks,
        said("message_delta", delta={"stop_reason": stop, "stop_sequence": sequence}, usage={"output_tokens": 11}),
        said("message_stop"),
    ))  # fmt: skip


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    return b"".join((
        said("content_block_start", index=index, content_block=kind),
        *(said("content_block_delta", index=index, delta=delta) for delta in deltas),
        said("content_block_stop", index=index),
    ))  # fmt: skip


def deltas(raw: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in raw.decode().split("\n") if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def test_the_ending_waits_for_the_usage_which_chat_says_after_its_reason() -> None:
    events = chat_events(["Hel", "lo"], usage=(3, 2))
    translator = StreamTranslator("chat", "messages")
    outs = [translator.feed(one) for one in events]
    assert b"message_delta" not in b"".join(outs[:-1])
    assert b'"input_tokens":3' in outs[-1]
    assert outs[-1].endswith(b'{"type":"message_stop"}\n\n')


def test_every_piece_of_text_is_passed_on_as_it_comes() -> None:
    for origin in OTHERS:
        raw = into(origin, b"".join(chat_events(["a", "b"], usage=(1, 1))))
        translator = StreamTranslator(origin, "chat")
        outs = [translator.feed(one + b"\n\n") for one in raw.split(b"\n\n") if one]
        assert [deltas(out)[-1]["choices"][0]["delta"] for out in outs if b'"content":"' in out][-2:] == [
            {"content": "a"}, {"content": "b"},
        ]  # fmt: skip


def test_of_several_choices_the_first_is_said() -> None:
    raw = (
        chunk({"content": "one"})
        + chunk({"content": "two"}, index=1)
        + chunk({}, "length", 1)
        + chunk({}, "stop")
        + DONE
    )
    found = by_sdk("messages", into("messages", raw))
    assert (found.text, found.stop) == ("one", "complete")


def test_a_body_that_ends_without_done_is_ended_if_it_had_said_why() -> None:
    raw = chunk({"content": "hi"}) + chunk({}, "stop")
    assert b"message_stop" not in StreamTranslator("chat", "messages").feed(raw)
    assert by_sdk("messages", into("messages", raw)).stop == "complete"


def test_done_alone_ends_nothing() -> None:
    raw = chunk({"content": "hi"})
    assert into("messages", raw + DONE) == StreamTranslator("chat", "messages").feed(raw)


def test_the_callers_wish_for_usage_is_honoured() -> None:
    raw = message(block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hi"}))
    assert b'"usage"' not in into("chat", raw, "messages", usage=False)
    assert by_sdk("chat", into("chat", raw, "messages")).usage == (15, 11, 5, 7, 0)


def test_a_call_makes_way_as_soon_as_its_arguments_are_whole() -> None:
    translator = StreamTranslator("chat", "messages")
    first = translator.feed(call(0, "", "f") + call(0, '{"a":{') + call(0, "}}"))
    second = translator.feed(call(1, "", "g"))
    assert first.endswith(b'"partial_json":"}}"}}\n\n')
    assert b"content_block_stop" in second
    assert b'"name":"g"' in second


def test_a_call_whose_arguments_are_not_whole_keeps_the_others_waiting() -> None:
    raw = [call(0, "", "f"), call(1, "", "g"), call(1, '{"b":2}'), call(0, '{"a":'), call(0, "1}")]
    translator = StreamTranslator("chat", "messages")
    assert b'"name":"g"' not in b"".join([translator.feed(one) for one in raw])
    found = by_sdk("messages", into("messages", b"".join(raw) + chunk({}, "tool_calls") + DONE))
    assert found.calls == (("f", '{"a": 1}'), ("g", '{"b": 2}'))


def test_calls_that_all_have_the_same_index_stay_apart() -> None:
    calls = [{"index": 0, "id": f"c{i}", "function": {"name": f"f{i}", "arguments": f'{{"n":{i}}}'}} for i in range(2)]
    raw = b"".join(chunk({"tool_calls": [one]}) for one in calls) + chunk({}, "stop") + DONE
    found = by_sdk("messages", into("messages", raw))
    assert found.calls == (("f0", '{"n": 0}'), ("f1", '{"n": 1}'))
    assert found.stop == "tools"


def test_thinking_keeps_its_signature_through_chat_and_back() -> None:
    blocks = (
        block(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm"},
              {"type": "thinking_delta", "thinking": "m"}, {"type": "signature_delta", "signature": "s1"}),
        block(1, {"type": "redacted_thinking", "data": "xyz"}),
        block(2, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "oh"},
              {"type": "signature_delta", "signature": "s2"}),
        block(3, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hi"}),
    )  # fmt: skip
    raw = message(*blocks)
    there = into("chat", raw, "messages")
    assert [one["format"] for one in details(there)] == ["anthropic-claude-v1"] * 3
    back = into("messages", there)
    assert kinds(back) == ["thinking", "redacted_thinking", "thinking", "text"]
    assert by_sdk("messages", back) == plainly("messages", raw)
    assert by_sdk("chat", there).sealed == ("s1", "xyz", "s2")


def test_in_responses_a_signature_is_handed_back_as_what_is_sealed_is() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    raw = message(block(0, thought), block(1, {"type": "redacted_thinking", "data": "xyz"}))
    there = into("responses", raw, "messages")
    found = by_sdk("responses", there)
    assert (found.thinking, found.sealed) == ("hm", ("sig", "xyz"))
    assert kinds(into("messages", there, "responses")) == ["thinking", "redacted_thinking", "redacted_thinking"]


def test_where_one_thought_has_details_all_of_them_have() -> None:
    thoughts = [block(i, {"type": "thinking", "thinking": text}) for i, text in enumerate(("one", "two", "three"))]
    thoughts[1] = block(1, {"type": "thinking", "thinking": "two", "signature": "sig"})
    found = details(into("chat", message(*thoughts), "messages"))
    assert [(one["index"], one["text"], one.get("signature")) for one in found] == [
        (0, "one", None), (1, "two", "sig"), (2, "three", None),
    ]  # fmt: skip
    assert not details(into("chat", message(thoughts[0]), "messages"))


def kinds(raw: bytes) -> list[str]:
    return [one["content_block"]["type"] for one in deltas(raw) if one["type"] == "content_block_start"]


def details(raw: bytes) -> list[dict[str, Any]]:
    choices = [choice for one in deltas(raw) for choice in one["choices"]]
    return [detail for choice in choices for detail in choice["delta"].get("reasoning_details") or ()]


def test_parts_of_a_summary_are_thoughts_one_after_the_other_and_none_is_told_twice() -> None:
    place = {"item_id": "rs", "output_index": 0}
    item = {"id": "rs", "type": "reasoning", "summary": []}
    kind = "response.reasoning_summary_text"
    raw = b"".join((
        said("response.created", response={"id": "r", "model": "m", "created_at": 1, "output": []}),
        said("response.output_item.added", output_index=0, item=item),
        said(f"{kind}.delta", **place, summary_index=0, delta="on"),
        said(f"{kind}.delta", **place, summary_index=0, delta="e"),
        said(f"{kind}.done", **place, summary_index=0, text="one"),
        said(f"{kind}.done", **place, summary_index=1, text="two"),
        said("response.output_item.done", output_index=0, item=item),
        said("response.completed", response={"id": "r", "model": "m", "created_at": 1, "output": []}),
    ))  # fmt: skip
    there = into("messages", raw, "responses")
    assert kinds(there) == ["thinking", "thinking"]
    assert by_sdk("messages", there).thinking == "onetwo"


def test_openrouters_details_are_not_thought_twice() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": None, "index": 0}]
    raw = chunk({"reasoning": "hm", "reasoning_details": details})
    raw += chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0}]})
    raw += chunk({"content": "hi"}) + chunk({}, "stop") + DONE
    found = by_sdk("messages", into("messages", raw))
    assert (found.thinking, found.sealed, found.text) == ("hm", ("sig",), "hi")


@pytest.mark.parametrize(
    ("stop", "chat", "responses"),
    [
        ("end_turn", "stop", "completed"),
        ("max_tokens", "length", "incomplete"),
        ("model_context_window_exceeded", "length", "incomplete"),
        ("stop_sequence", "stop", "completed"),
        ("refusal", "content_filter", "incomplete"),
        ("pause_turn", "stop", "completed"),
    ],
)
def test_why_it_stopped_is_said_in_each_dialects_words(stop: str, chat: str, responses: str) -> None:
    raw = message(
        block(0, {"type": "text", "text": "hi"}), stop=stop, sequence="END" if stop == "stop_sequence" else None
    )
    assert deltas(into("chat", raw, "messages"))[-2]["choices"][0]["finish_reason"] == chat
    assert deltas(into("responses", raw, "messages"))[-1]["response"]["status"] == responses


def test_a_refusal_is_one_in_every_dialect() -> None:
    raw = chunk({"refusal": "I can"}) + chunk({"refusal": "not."}) + chunk({}, "stop") + DONE
    assert by_sdk("responses", into("responses", raw)).refusal == "I cannot."
    found = by_sdk("messages", into("messages", raw))
    assert (found.text, found.stop) == ("I cannot.", "filtered")


def test_what_a_server_tool_did_is_left_out_and_the_text_around_it_said() -> None:
    raw = message(
        block(
            0,
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": "{}"},
        ),
        block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
        block(2, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hi"}),
    )
    for other in NOT_MESSAGES:
        found = by_sdk(other, into(other, raw, "messages"))
        assert (found.text, found.calls, found.stop) == ("hi", (), "complete")


FAILURES: dict[Dialect, bytes] = {
    "chat": chunk({"content": "hi"})
    + event(b'{"error":{"message":"overloaded","type":"overloaded_error","code":529}}'),
    "messages": message(block(0, {"type": "text", "text": "hi"})).partition(b"event: message_delta")[0]
    + said("error", error={"type": "overloaded_error", "message": "overloaded"}),
    "responses": said("response.created", response={"id": "r", "model": "m", "created_at": 1, "output": []})
    + said("response.failed", response={"id": "r", "error": {"code": "server_error", "message": "overloaded"}}),
}


@pytest.mark.parametrize("origin", FAILURES)
def test_an_error_within_a_stream_is_raised_by_every_sdk(origin: Dialect) -> None:
    for other in FAILURES:
        if other == origin:
            continue
        error = anthropic.APIStatusError if other == "messages" else openai.APIError
        raw = into(other, FAILURES[origin] + DONE, origin)
        assert b"stop" not in raw.rpartition(b"data:")[2]
        with pytest.raises(error, match="overloaded"):
            by_sdk(other, raw)


def test_an_end_for_an_unknown_reason_is_an_error() -> None:
    out = into("messages", chunk({"content": "hi"}) + chunk({}, "exploded") + DONE)
    assert b"message_stop" not in out
    assert b"exploded" in out


def test_half_a_character_is_said_as_one_that_stands_for_it() -> None:
    raw = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}\n\n' + chunk({}, "stop") + DONE
    assert by_sdk("messages", into("messages", raw)).text == "a\N{REPLACEMENT CHARACTER}"


def test_between_speakers_of_the_same_dialect_not_a_byte_changes() -> None:
    raw = b"".join(chat_events(["a"]))
    assert into("chat", raw) == raw


@pytest.mark.parametrize(
    ("origin", "life", "dialect", "expected"),
    [
        ("chat", b": OPENROUTER PROCESSING\n\n", "messages", b'event: ping\ndata: {"type": "ping"}\n\n'),
        ("messages", b'event: ping\ndata: {"type": "ping"}\n\n', "chat", b": keep-alive\n\n"),
        ("messages", b'event: ping\ndata: {"type": "ping"}\n\n', "responses", b": keep-alive\n\n"),
    ],
)
def test_a_sign_of_life_is_passed_on_as_one(origin: Dialect, life: bytes, dialect: Dialect, expected: bytes):
    translator = StreamTranslator(origin, dialect)
    assert translator.feed(life) == expected
    assert translator.feed(life[:5]) == b""
    assert translator.feed(life[5:]) == expected
