"""Endings of Messages streams and bodies, row by row: what is believed, what is doubted, what is blamed."""

from __future__ import annotations

from typing import Any

import pytest

from pennyworth.money import Usage
from pennyworth.wire import messages
from tests.wire.codec_contract import record, record_json
from tests.wire.messages.replies import PING, event

START = event({"type": "message_start", "message": {"model": "claude-x", "content": [], "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 2}}})  # fmt: skip
STOP = event({"type": "message_stop"})


def opened(index: int = 0, **block: Any) -> bytes:
    return event(
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "", **block}}
    )


def delta(index: int = 0, **said: Any) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", **said}})


def closed(index: int = 0) -> bytes:
    return event({"type": "content_block_stop", "index": index})


def ended(reason: str | None = "end_turn", **beside: Any) -> bytes:
    usage = {"output_tokens": 5}
    return event({"type": "message_delta", "delta": {"stop_reason": reason, **beside}, "usage": usage})


TEXT = opened() + delta(text="hi") + closed()
WHOLE = START + PING + TEXT + ended() + STOP


@pytest.mark.parametrize(
    ("reason", "ending", "refusal"),
    [
        ("end_turn", "complete", False),
        ("stop_sequence", "complete", False),
        ("max_tokens", "length", False),
        ("model_context_window_exceeded", "length", False),
        ("tool_use", "tools", False),
        ("refusal", "filtered", True),
        ("pause_turn", "complete", False),
        ("something_new", "error", False),
        (None, "cut", False),
    ],
)
def test_the_stop_reason_says_how_it_ended(reason: str | None, ending: str, refusal: bool) -> None:
    outcome = record(messages, START + TEXT + ended(reason) + STOP).outcome
    assert (outcome.ending, outcome.refusal, outcome.finishes) == (ending, refusal, (reason or "",))
    assert bool(outcome.fault) == (ending in ("error", "cut"))
    assert outcome.usage == Usage(input=13, output=5, cached=4)


@pytest.mark.parametrize(
    ("raw", "ending", "fault"),
    [
        pytest.param(START + TEXT + STOP, "cut", "broke off", id="no reason"),
        pytest.param(START + TEXT + ended(), "cut", "broke off", id="no message_stop"),
        pytest.param(START + opened() + delta(text="hi") + ended() + STOP, "cut", "never closed", id="a block left open"),
        pytest.param(TEXT + ended() + STOP, "cut", "never began", id="no message_start"),
        pytest.param(START + START + TEXT + ended() + STOP, "cut", "second reply", id="two beginnings"),
        pytest.param(START + opened(1) + closed(1) + ended() + STOP, "cut", "was due", id="a block is missing"),
        pytest.param(START + delta(text="x") + TEXT + ended() + STOP, "cut", "not open", id="a piece too early"),
        pytest.param(START + TEXT + closed() + ended() + STOP, "cut", "not open", id="closed twice"),
        pytest.param(START + opened() + delta() + closed() + ended() + STOP, "cut", "without a text", id="an empty piece"),
        pytest.param(WHOLE + delta(text="x"), "cut", "after message_stop", id="goes on"),
        pytest.param(WHOLE + PING, "complete", "", id="a ping at the end"),
        pytest.param(WHOLE + b"data: [DONE]\n\n", "complete", "", id="OpenAI's end besides"),
        pytest.param(WHOLE + b": bye\n\n", "complete", "", id="a comment"),
        pytest.param(WHOLE[:-1], "cut", "not whole", id="half a last event"),
        pytest.param(WHOLE + b"<html>", "cut", "no event", id="trailing bytes"),
        pytest.param(START + b"{}\n\n" + TEXT + ended() + STOP, "cut", "no event", id="an error between the events"),
        pytest.param(WHOLE.replace(b"\n", b"\r\n"), "complete", "", id="CRLF"),
        pytest.param(WHOLE.replace(b"\n", b"\r"), "complete", "mere CR", id="CR"),
        pytest.param(START + TEXT + ended("refusal") + ended("end_turn") + STOP, "filtered", "", id="a bad end stays"),
        pytest.param(START + TEXT + ended("end_turn") + ended("max_tokens") + STOP, "length", "", id="a good one does not"),
        pytest.param(START + event({"type": "error", "error": {"type": "overloaded_error"}}), "error", "sent an error", id="error"),
        pytest.param(START + b'data: {"error":{}}\n\n', "error", "sent an error", id="an error of another shape"),
    ],
)  # fmt: skip
def test_only_a_whole_stream_is_believed(raw: bytes, ending: str, fault: str) -> None:
    outcome = record(messages, raw).outcome
    assert outcome.ending == ending
    assert fault in outcome.fault
    assert bool(outcome.fault) == bool(fault)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(event({"type": "something_new"}), id="an unknown event"),
        pytest.param(b'data: {"type":"content_block_stop","index":0}\n\n', id="an event without its name"),
        pytest.param(event({"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta"}}), id="new pieces"),
        pytest.param(event({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "x"}}), id="a piece of another block"),
        pytest.param(delta(text="x").replace(b'"x"', b'"\\ud800"'), id="half a character"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_passed_on_but_not_kept(odd: bytes) -> None:
    close = b"" if b"content_block_stop" in odd else closed()
    outcome = record(messages, START + opened() + delta(text="hi") + odd + close + ended() + STOP).outcome
    assert outcome.ending == "complete"
    assert outcome.fault


@pytest.mark.parametrize(
    ("block", "committed"),
    [
        ({"type": "text", "text": ""}, False),
        ({"type": "text", "text": "x"}, True),
        ({"type": "thinking", "thinking": "", "signature": ""}, False),
        ({"type": "thinking", "thinking": "hm"}, True),
        ({"type": "redacted_thinking", "data": "x"}, True),
        ({"type": "tool_use", "name": "f", "input": {}}, True),
        ({"type": "server_tool_use", "name": "web_search", "input": {}}, True),
    ],
)
def test_content_commits_and_what_comes_before_it_does_not(block: dict[str, Any], committed: bool) -> None:
    assert record(messages, START + PING + opened(**block)).committed == committed
    assert not record(messages, START + PING).committed


@pytest.mark.parametrize(
    ("block", "beyond"),
    [
        ({"type": "redacted_thinking", "data": "x"}, False),
        ({"type": "tool_use", "name": "f", "input": {}}, False),
        ({"type": "server_tool_use", "name": "web_search", "input": {}}, True),
        ({"type": "web_search_tool_result", "content": []}, True),
        ({"type": "code_execution_tool_result", "content": {}}, True),
        ({"type": "mcp_tool_use", "name": "f", "input": {}}, True),
        ({"type": "container_upload", "file_id": "f"}, True),
        ({"type": "something_new"}, True),
        ({"type": "text", "text": "x", "citations": [{"type": "char_location"}]}, False),
        ({"type": "text", "text": "x", "citations": [{"type": "web_search_result_location"}]}, True),
    ],
)
def test_what_the_provider_did_beyond_the_prompt_is_seen_in_both_forms(block: dict[str, Any], beyond: bool) -> None:
    assert record(messages, START + opened(**block) + closed() + ended() + STOP).outcome.server_tools == beyond
    body = {"content": [block], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert record_json(messages, event({"type": "x", **body})[15:]).outcome.server_tools == beyond


def test_a_container_and_cited_searches_that_come_in_pieces_are_seen_too() -> None:
    cited = event({"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"type": "web_search_result_location"}}})  # fmt: skip
    assert record(messages, START + opened() + cited + closed() + ended() + STOP).outcome.server_tools
    assert record(messages, START + TEXT + ended(container={"id": "c"}) + STOP).outcome.server_tools


def test_of_a_stream_that_breaks_off_the_prompt_is_counted_and_the_text_is_there_to_count() -> None:
    outcome = record(messages, START + opened() + delta(text="Hel") + delta(text="lo"), ended=False).outcome
    assert outcome.usage == Usage(input=13, cached=4)
    assert outcome.text == "Hello"
    assert record(messages, WHOLE).outcome.text == ""


def test_tools_are_named_and_make_it_a_call() -> None:
    raw = (
        START
        + opened(type="tool_use", name="f", input={})
        + closed()
        + opened(1, type="tool_use", input={})
        + closed(1)
    )
    outcome = record(messages, raw + ended("end_turn") + STOP).outcome
    assert (outcome.ending, outcome.tools) == ("tools", ("f", "unnamed"))


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (b'{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}', "complete"),
        (b'{"content":[{"type":"text","text":"x"}],"stop_reason":null}', "cut"),
        (b'{"content":[{"type":"text","text":"x"}]}', "cut"),
        (b'{"stop_reason":"end_turn"}', "cut"),
        (b'{"type":"error","error":{"type":"api_error","message":"x"}}', "error"),
        (b'{"error":"x"}', "error"),
        (b"[]", "cut"),
        (b"", "cut"),
        (b"<html>", "cut"),
    ],
)
def test_a_body_needs_content_and_a_reason(body: bytes, ending: str) -> None:
    outcome = record_json(messages, body).outcome
    assert outcome.ending == ending
    assert bool(outcome.fault) == (ending != "complete")


def test_a_body_that_the_provider_did_not_end_is_cut() -> None:
    body = b'{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}'
    assert record_json(messages, body, ended=False).outcome.ending == "cut"
