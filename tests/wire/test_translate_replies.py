"""Whole replies and errors in the words of another dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth import canonical
from pennyworth.request import Dialect
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.translate import CannotSayError, error_as, reply_as_events, reply_as_json
from tests.wire.conversations import damaged

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}


USED = {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}


def chat_reply(finish: str = "stop", n: int = 1, **message: Any) -> bytes:
    choice = {"message": {"role": "assistant", "content": "So.", **message}, "finish_reason": finish}
    choices = [{"index": i, **choice} for i in range(n)]
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "gpt", "system_fingerprint": "fp"}
    return json.dumps({**head, "choices": choices, "usage": usage}).encode()


def messages_reply(stop: str = "end_turn", *blocks: dict[str, Any], **more: Any) -> bytes:
    usage = {
        "input_tokens": 30,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 10,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
    content = list(blocks) or [{"type": "text", "text": "So."}]
    return json.dumps({**head, "content": content, "stop_reason": stop, "usage": usage, **more}).encode()


def said(raw: bytes, origin: Dialect, into: Dialect) -> Any:
    return json.loads(reply_as_json(raw, streamed=False, origin=origin, into=into))


STOPS = [
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("tool_calls", "tool_use"),
    ("content_filter", "refusal"),
]


@pytest.mark.parametrize(("finish", "stop"), STOPS)
def test_why_a_reply_ended_has_a_word_in_each(finish: str, stop: str) -> None:
    assert said(chat_reply(finish), "chat", "messages")["stop_reason"] == stop
    assert said(messages_reply(stop), "messages", "chat")["choices"][0]["finish_reason"] == finish


def test_tokens_of_a_cache_are_counted_apart_in_one_and_within_in_the_other() -> None:
    usage = said(chat_reply(), "chat", "messages")["usage"]
    assert usage == json.loads(messages_reply())["usage"]
    back = said(messages_reply(), "messages", "chat")["usage"]
    assert back == json.loads(chat_reply())["usage"]


def test_a_reply_keeps_its_id_and_its_providers_name_for_the_model() -> None:
    found = said(chat_reply(), "chat", "messages")
    assert (found["id"], found["model"]) == ("chatcmpl-1", "gpt")


def test_thoughts_and_calls_are_said_in_their_order() -> None:
    found = said(chat_reply("tool_calls", reasoning_content="Hm.", tool_calls=[CALL]), "chat", "messages")
    assert found["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "So."},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
    ]


def test_a_signature_comes_with_the_thoughts_so_that_it_can_be_handed_back() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
    sealed = {"type": "redacted_thinking", "data": "seal"}
    message = said(messages_reply("end_turn", thought, sealed, {"type": "text", "text": "So."}), "messages", "chat")
    assert message["choices"][0]["message"] == {
        "role": "assistant",
        "content": "So.",
        "reasoning_content": "Hm.",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm.", "index": 0, "signature": "sig", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "seal", "index": 1, "format": "anthropic-claude-v1"},
        ],
    }


def test_each_sealed_thought_keeps_its_seal_in_an_item_of_its_own() -> None:
    sealed = [{"type": "redacted_thinking", "data": data} for data in ("one", "two")]
    found = said(messages_reply("end_turn", *sealed, {"type": "text", "text": "So."}), "messages", "responses")
    thoughts = [item for item in found["output"] if item["type"] == "reasoning"]
    assert [item["encrypted_content"] for item in thoughts] == ["one", "two"]
    assert len({item["id"] for item in thoughts}) == 2


def test_text_in_several_blocks_is_one_text_and_its_citations_are_left_out() -> None:
    cited = {"type": "text", "text": "b", "citations": [{"type": "char_location", "cited_text": "b"}]}
    message = said(messages_reply("end_turn", {"type": "text", "text": "a"}, cited), "messages", "chat")
    assert message["choices"][0]["message"] == {"role": "assistant", "content": "ab"}


def test_a_refusal_in_words_ends_as_one() -> None:
    found = said(chat_reply(content=None, refusal="No."), "chat", "messages")
    assert (found["content"], found["stop_reason"]) == ([{"type": "text", "text": "No."}], "refusal")


def test_a_stop_sequence_is_named_where_there_is_a_word_for_it() -> None:
    raw = messages_reply("stop_sequence", stop_sequence="END")
    assert said(raw, "messages", "chat")["choices"][0]["finish_reason"] == "stop"


def test_a_response_has_what_its_readers_ask_for() -> None:
    found = said(messages_reply("max_tokens"), "messages", "responses")
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    (item,) = found["output"]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"] == [{"type": "output_text", "text": "So.", "annotations": [], "logprobs": []}]
    assert {"parallel_tool_calls", "tool_choice", "tools", "error", "created_at"} <= found.keys()


UNSAYABLE: list[tuple[bytes, Dialect, Dialect, str]] = [
    (chat_reply(n=2), "chat", "messages", "2 choices"),
    (chat_reply(audio={"id": "a"}), "chat", "messages", "audio"),
    (
        chat_reply("length", tool_calls=[{**CALL, "function": {"name": "look", "arguments": '{"at'}}]),
        "chat",
        "messages",
        "a call whose arguments are no JSON object",
    ),
    (chat_reply("weird"), "chat", "messages", "the reason for which it ended"),
    (messages_reply("end_turn", {"type": "server_tool_use", "id": "x"}), "messages", "chat", "server_tool_use"),
    (b'{"error": {"message": "no"}}', "messages", "chat", "no reply that can be read"),
    (b"nonsense", "messages", "chat", "no reply that can be read"),
]


@pytest.mark.parametrize(("raw", "origin", "into", "what"), UNSAYABLE)
def test_what_has_no_words_is_said_to_have_none(raw: bytes, origin: Dialect, into: Dialect, what: str) -> None:
    with pytest.raises(CannotSayError) as refused:
        reply_as_json(raw, streamed=False, origin=origin, into=into)
    assert refused.value.what == what


WHOLE: dict[Dialect, bytes] = {
    "chat": chat_reply("tool_calls", tool_calls=[CALL], reasoning_content="Hm.", refusal="No."),
    "messages": messages_reply("tool_use", {"type": "thinking", "thinking": "Hm.", "signature": "s"}, USED),
    "responses": reply_as_json(messages_reply("tool_use", USED), streamed=False, origin="messages", into="responses"),
}


@pytest.mark.parametrize("origin", WHOLE)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_a_reply_holds_it_is_read_and_written_and_said_or_said_to_have_no_words(
    origin: Dialect, data: st.DataObject
) -> None:
    body = data.draw(damaged(json.loads(WHOLE[origin])))
    completion = SPEAKERS[origin].completion_of(body)
    if completion is not None:
        assert canonical.encode(SPEAKERS[origin].body_of(completion)) == canonical.encode(body)
    for into in SPEAKERS:
        try:
            reply_as_json(json.dumps(body).encode(), streamed=False, origin=origin, into=into)
        except CannotSayError:
            continue


def test_a_reply_can_be_given_as_events_of_another_dialect() -> None:
    events = reply_as_events(messages_reply(), streamed=False, origin="messages", into="chat", usage=True)
    assert events.endswith(b"data: [DONE]\n\n")
    assembled = json.loads(CODECS["chat"].as_json(events, streamed=True))
    assert assembled["choices"][0]["message"]["content"] == "So."
    assert assembled["usage"]["prompt_tokens"] == 100


ERRORS: list[tuple[bytes, str]] = [
    (
        b'{"error": {"message": "too long", "type": "invalid_request_error", "param": "messages", "code": null}}',
        "too long",
    ),
    (b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}', "Overloaded"),
    (b'{"error": "model not found"}', "model not found"),
    (b'{"detail": "Not Found"}', "Not Found"),
    (b'[{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]', "slow down"),
    (b"Bad gateway", "Bad gateway"),
    (b"", "The provider answered with status 400 and no message."),
    (b"\xff\xfe", "\ufffd\ufffd"),
]


@pytest.mark.parametrize(("raw", "message"), ERRORS)
def test_an_error_keeps_its_message(raw: bytes, message: str) -> None:
    assert json.loads(error_as(raw, 400, "chat"))["error"]["message"] == message


def test_an_error_keeps_its_code_and_its_field() -> None:
    raw = b'{"error": {"message": "no", "type": "x", "param": "stop", "code": "unsupported_parameter"}}'
    error = json.loads(error_as(raw, 400, "chat"))["error"]
    assert (error["code"], error["param"]) == ("unsupported_parameter", "stop")
