"""What a recorder makes of a response: rows of streams and bodies, and what they amount to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.testing.responses_bytes import (
    call_item,
    message_item,
    response_body,
    response_event,
    response_events,
    response_json,
    response_usage,
)
from pennyworth.wire import responses
from tests.wire.responses.recorded import record, record_json

*BEGUN, END = response_events(["Hel", "lo"])
HEAD, SAID = BEGUN[:4], BEGUN[4:]
DONE = b"data: [DONE]\n\n"
AT = {"output_index": 0, "content_index": 0, "item_id": "msg_scripted"}
ERROR = response_event("error", code="server_error", message="overloaded", param=None, sequence_number=3)


def ended(status: str, *output: dict[str, Any], kind: str = "", **more: Any) -> bytes:
    whole = response_body(*(output or [message_item("Hello")]), status=status, **more)
    return response_event(kind or f"response.{status}", response=whole, sequence_number=9)


def delta(kind: str, text: Any, **more: Any) -> bytes:
    return response_event(f"response.{kind}.delta", delta=text, **AT, **more)


def incomplete(reason: str | None) -> bytes:
    return ended("incomplete", incomplete_details={"reason": reason} if reason else None)


ENDINGS = [
    ("a whole stream", [*BEGUN, END], "complete"),
    ("[DONE] after all, as OpenRouter sends it", [*BEGUN, END, DONE], "complete"),
    ("[DONE] without its blank line", [*BEGUN, END, b"data: [DONE]"], "complete"),
    ("comments in between", [b": PROCESSING\n\n", *BEGUN, b": ping\n\n", END, b":\n\n"], "complete"),
    ("an event of an unknown type", [*BEGUN, response_event("keepalive", sequence_number=4), END], "complete"),
    ("an event without data", [b"event: ping\n\n", *BEGUN, END], "complete"),
    ("only the end", [END], "complete"),
    ("queued before", [response_event("response.queued", response=response_body(status="queued")), *BEGUN, END], "complete"),
    ("no event lines, as OpenRouter has none", [one.partition(b"\n")[2] for one in (*BEGUN, END)], "complete"),
    ("nothing", [], "cut"),
    ("only comments", [b": PROCESSING\n\n"] * 3, "cut"),
    ("only [DONE]", [DONE], "cut"),
    ("no end", BEGUN, "cut"),
    ("no end, but [DONE]", [*BEGUN, DONE], "cut"),
    ("an end without its blank line", [*BEGUN, END[:-2]], "cut"),
    ("an end without half of it", [*BEGUN, END[:-1]], "cut"),
    ("an end cut short", [*BEGUN, END[:-40]], "cut"),
    ("an end without a response", [*BEGUN, response_event("response.completed")], "cut"),
    ("an end that says it goes on", [*BEGUN, ended("in_progress", kind="response.completed")], "cut"),
    ("an end that says it is incomplete", [*BEGUN, ended("incomplete", kind="response.completed")], "cut"),
    ("an end without a status", [*BEGUN, response_event("response.completed", response={"output": []})], "cut"),
    ("data after the end", [*BEGUN, END, BEGUN[4]], "cut"),
    ("a second end", [*BEGUN, END, END], "cut"),
    ("half an event after the end", [*BEGUN, END, b"data: {"], "cut"),
    ("an event that is no JSON", [*BEGUN, b"data: {oops\n\n", END], "cut"),
    ("an event that is no object", [*BEGUN, b"data: [1]\n\n", END], "cut"),
    ("an event of wrong types", [*BEGUN, b'data: {"type":"response.output_item.done","item":7}\n\n', END], "cut"),
    ("an event deep as a well", [*BEGUN, b"data: " + b"[" * 100_000 + b"\n\n", END], "cut"),
    ("a piece with a byte that is no UTF-8", [*HEAD, b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"\xff"}\n\n', END], "cut"),
    ("a JSON error between the events", [*BEGUN, b'{"error":{}}\n\n', END], "cut"),
    ("an HTML page after the events", [*BEGUN, END, b"<html>502</html>\n"], "cut"),
    ("an error at once", [ERROR], "error"),
    ("an error in the middle", [*BEGUN, ERROR], "error"),
    ("an error in the middle, and on it goes", [*BEGUN, ERROR, END], "error"),
    ("an error after the end", [*BEGUN, END, ERROR], "cut"),
    ("an error in an object of its own, as OpenAI sends it", [*BEGUN, response_event("error", error={"code": "x"})], "error"),
    ("an error by the type of its event", [*BEGUN, b'event: error\ndata: {"message":"x"}\n\n'], "error"),
    ("an error body as an event", [*BEGUN, b'data: {"error":{"message":"x"}}\n\n', END], "error"),
    ("failed", [*BEGUN, ended("failed", error={"code": "server_error", "message": "x"})], "error"),
    ("failed without a reason", [*BEGUN, ended("failed")], "error"),
    ("completed with an error", [*BEGUN, ended("completed", error={"code": "x"})], "error"),
    ("cancelled", [*BEGUN, ended("cancelled")], "error"),
    ("too long", [*BEGUN, incomplete("max_output_tokens")], "length"),
    ("filtered", [*BEGUN, incomplete("content_filter")], "filtered"),
    ("incomplete for a reason nobody knows", [*BEGUN, incomplete("steered")], "error"),
    ("incomplete for none", [*BEGUN, incomplete(None)], "error"),
    ("a call", [*HEAD[:2], ended("completed", call_item())], "tools"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "ending"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_how_a_stream_ended(events: list[bytes], ending: str) -> None:
    raw = b"".join(events)
    outcome = record(raw)
    assert (outcome.ending, outcome.dialect) == (ending, "responses")
    assert bool(outcome.fault) == (ending in ("cut", "error"))
    assert record(raw, cuts=range(len(raw))) == outcome
    assert record(raw, ended=False).ending != "complete"


BODIES = [
    ("a whole one", response_json(message_item("hi")), 200, "complete"),
    ("pretty-printed", json.dumps(response_body(message_item("hi")), indent=2).encode() + b"\n", 200, "complete"),
    ("a call", response_json(call_item()), 200, "tools"),
    ("too long", response_json(message_item("hi"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}), 200, "length"),
    ("filtered", response_json(status="incomplete", incomplete_details={"reason": "content_filter"}), 200, "filtered"),
    ("failed", response_json(status="failed", error={"code": "server_error", "message": "x"}), 200, "error"),
    ("cancelled", response_json(status="cancelled"), 200, "error"),
    ("queued in the background", response_json(status="queued"), 200, "cut"),
    ("in progress in the background", response_json(status="in_progress"), 200, "cut"),
    ("an error", b'{"error":{"message":"x"}}', 200, "error"),
    ("an error by its status", b'{"error":{"message":"x"}}', 400, "error"),
    ("half of it", response_json(message_item("hi"))[:-5], 200, "cut"),
    ("nothing", b"", 200, "cut"),
    ("no JSON", b"<html>", 200, "cut"),
    ("no response", b"{}", 200, "cut"),
    ("two", response_json(message_item("hi")) * 2, 200, "cut"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "status", "ending"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_how_a_body_ended(raw: bytes, status: int, ending: str) -> None:
    outcome = record_json(raw, status=status)
    assert outcome.ending == ending
    assert bool(outcome.fault) == (ending == "cut" or (ending == "error" and status == 200))
    assert record_json(raw, status=status, ended=False).ending != "complete"


@pytest.mark.parametrize("cr", [b"\r\n", b"\r"])
def test_line_ends_do_not_matter(cr: bytes) -> None:
    raw = b"".join([*BEGUN, END])
    other, plain = record(raw.replace(b"\n", cr)), record(raw)
    assert (other.ending, other.usage, other.finishes) == (plain.ending, plain.usage, plain.finishes)
    assert other.ending == "complete"


def test_what_a_whole_stream_says_of_itself() -> None:
    usage = response_usage(1150, 307, cached=1024, reasoning=64)
    usage["input_tokens_details"]["cache_write_tokens"] = 100
    raw = b"".join(response_events(["Hel", "lo"], usage=usage, model="gpt-x"))
    outcome = record(raw)
    assert outcome.usage == Usage(input=1150, output=307, cached=1024, cache_write=100, reasoning=64)
    assert (outcome.served_by, outcome.finishes, outcome.raw) == ("gpt-x", ("stop",), raw)
    assert outcome.streamed
    assert outcome.text == ""  # the usage is known, so nobody has to count
    assert (outcome.tools, outcome.server_tools, outcome.refusal, outcome.fault) == ((), False, False, "")


NO_USAGE = [{"input_tokens": -1, "output_tokens": 2}, {"input_tokens": 5, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 9}}, {"output_tokens": 2}, {"input_tokens": "5"}, {"input_tokens": 0, "output_tokens": 0}]  # fmt: skip


@pytest.mark.parametrize("usage", NO_USAGE, ids=json.dumps)
def test_a_usage_that_cannot_be_is_none_and_the_text_is_there_to_be_counted(usage: dict[str, Any]) -> None:
    outcome = record(b"".join(response_events(["Hel", "lo"], usage=usage)))
    assert (outcome.usage, outcome.text, outcome.ending) == (None, "Hello", "complete")
    assert record_json(response_json(message_item("Hello"), usage=usage)).text == "Hello"


def test_what_was_generated_before_a_break_can_be_counted() -> None:
    events = [
        *HEAD,
        delta("reasoning_summary_text", "think "),
        delta("reasoning_text", "more "),
        delta("output_text", "one "),
        delta("refusal", "no "),
        delta("function_call_arguments", '{"a":'),
        delta("custom_tool_call_input", "ls "),
        delta("code_interpreter_call_code", "1+1"),
        delta("output_audio", "UklGRg=="),
    ]
    assert record(b"".join(events), ended=False).text == 'think more one no {"a":ls 1+1'


def test_a_long_text_is_whole_however_many_pieces_it_came_in() -> None:
    recorder = responses.recorder()
    for number in range(3000):
        recorder.feed_all([delta("output_text", f"{number} ")])
    outcome = recorder.outcome(status=200, raw=b"", streamed=True, ended=False, expected=1)
    assert outcome.text == "".join(f"{number} " for number in range(3000))


def test_a_failure_is_told_as_one() -> None:
    assert record(ended("failed")).fault == "the provider sent an error"
    assert record_json(response_json(status="failed")).fault == "the provider sent an error"
    assert record(incomplete("steered")).fault == "it ended for a reason we do not know: 'steered'"


def test_usage_of_a_search_shows_that_the_provider_looked_something_up() -> None:
    searched = {**response_usage(1, 1), "server_tool_use_details": {"tool_calls_executed": 1}}  # OpenRouter
    assert record_json(response_json(message_item("a"), usage=searched)).server_tools


def test_tokens_count_even_from_a_last_event_that_is_not_whole() -> None:
    outcome = record(b"".join([*BEGUN, END[:-2]]))
    assert (outcome.usage, outcome.ending) == (Usage(input=10, output=5), "cut")
    assert record(b"".join([*BEGUN, ERROR[:-2]])).ending == "cut"  # nobody has been told of the error


CALLS = [
    ("two functions", [call_item("f"), call_item("g")], ("f", "g")),
    ("no name", [{**call_item(), "name": ""}], ("unnamed",)),
    ("a custom tool", [call_item("shell", kind="custom_tool_call")], ("shell",)),
    ("a computer", [{"type": "computer_call", "id": "c"}], ("computer_call",)),
    ("a shell here", [{"type": "shell_call", "environment": {"type": "local"}}], ("shell_call",)),
    ("tools searched by the caller", [{"type": "tool_search_call", "execution": "client"}], ("tool_search_call",)),
    ("consent asked for", [{"type": "mcp_approval_request", "name": "drop"}], ("drop",)),
]


@pytest.mark.parametrize(("items", "tools"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_what_makes_the_caller_do_something_is_a_tool_call(items: list[Any], tools: tuple[str, ...]) -> None:
    outcome = record_json(response_json(*items))
    assert (outcome.tools, outcome.ending, outcome.finishes, outcome.server_tools) == (
        tools, "tools", ("tool_calls",), False,
    )  # fmt: skip
    said = [response_event("response.output_item.done", item=item, output_index=i) for i, item in enumerate(items)]
    assert record(b"".join(said), ended=False).tools == tools
    assert record(b"".join([*said, ended("completed", *items)])).tools == tools


REACHED = [
    "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call", "mcp_list_tools",
    "tool_search_call", "tool_search_output", "shell_call", "shell_call_output", "a_call_of_next_year",
]  # fmt: skip


@pytest.mark.parametrize("kind", REACHED)
def test_what_the_provider_did_on_its_own_is_seen(kind: str) -> None:
    item = {"type": kind, "id": "x", "status": "completed"}
    assert record_json(response_json(item, message_item("a"))).server_tools
    begun = response_event("response.output_item.added", item=item, output_index=0)
    assert record(b"".join([begun, *BEGUN, END])).server_tools


def test_a_quotation_shows_that_the_provider_looked_something_up() -> None:
    cited = [{"type": "url_citation", "url": "https://example.com"}]
    assert record_json(response_json(message_item("a", annotations=cited))).server_tools
    added = response_event("response.output_text.annotation.added", annotation=cited[0], **AT)
    assert record(b"".join([*BEGUN, added, END])).server_tools
    assert not record(b"".join([*BEGUN, END])).server_tools


@pytest.mark.parametrize("kind", ["message", "reasoning", "compaction"])
def test_thinking_and_speaking_are_not_reaching_out(kind: str) -> None:
    outcome = record_json(response_json({"type": kind, "summary": [], "content": None}, message_item("a")))
    assert (outcome.server_tools, outcome.tools, outcome.ending) == (False, (), "complete")


def test_a_refusal_is_noted() -> None:
    item = {**message_item(""), "content": [{"type": "refusal", "refusal": "I cannot help."}]}
    assert record_json(response_json(item)).refusal
    assert record(b"".join([*HEAD, delta("refusal", "I can"), END])).refusal
    assert not record(b"".join([*BEGUN, END])).refusal


def test_an_item_that_was_not_finished_is_given_but_not_kept() -> None:
    outcome = record_json(response_json({**message_item("a"), "status": "in_progress"}))
    assert (outcome.ending, outcome.fault) == ("complete", "an item of it was not completed")


REASONING = {"type": "reasoning", "id": "r", "summary": []}
COMMITS = [
    ("created", HEAD[0], False),
    ("a message begins", HEAD[2], False),
    ("a part begins", HEAD[3], False),
    ("an empty piece", delta("output_text", ""), False),
    ("thinking begins", response_event("response.output_item.added", item=REASONING, output_index=0), False),
    ("a ping", b": ping\n\n", False),
    ("the end of an empty response", ended("incomplete", REASONING | {"type": "message", "content": []}), False),
    ("a piece of text", delta("output_text", "a"), True),
    ("a piece of a refusal", delta("refusal", "a"), True),
    ("a piece of thinking", delta("reasoning_summary_text", "a"), True),
    ("thinking that has ended", response_event("response.output_item.done", item=REASONING, output_index=0), True),
    ("a call", response_event("response.output_item.added", item=call_item(), output_index=0), True),
    ("a search", response_event("response.output_item.added", item={"type": "web_search_call"}, output_index=0), True),
    ("an end that holds it all", END, True),
]


@pytest.mark.parametrize(("event", "commits"), [row[1:] for row in COMMITS], ids=[row[0] for row in COMMITS])
def test_text_a_call_or_reasoning_commits_a_reply(event: bytes, commits: bool) -> None:
    recorder = responses.recorder()
    recorder.feed_all([event])
    assert recorder.committed is commits


@pytest.mark.parametrize("event", [END, ended("failed"), incomplete("content_filter"), ERROR])
def test_only_the_terminal_event_is_the_end(event: bytes) -> None:
    recorder = responses.recorder()
    recorder.feed_all([*BEGUN, DONE])
    assert not recorder.done
    recorder.feed_all([event])
    assert recorder.done


# Most of a stream are pieces of text, which are read by a shorter way: it must find what the longer way finds.

BESIDE: list[dict[str, Any]] = [
    {}, {"type": "response.refusal.delta"}, {"type": "error"}, {"type": "response.completed"}, {"type": None},
    {"delta": ""}, {"delta": None}, {"delta": 7}, {"output_index": 3}, {"output_index": "x"}, {"logprobs": []},
    {"error": None}, {"error": {"message": "no"}}, {"item": None}, {"item": call_item()}, {"item": 7},
    {"annotation": None}, {"annotation": {"url": "x"}}, {"response": None}, {"response": response_body(message_item("a"))},
    {"unknown": "x"},
]  # fmt: skip
PIECE = st.builds(
    lambda text, beside, more: {"type": "response.output_text.delta", "delta": text, **beside, **more},
    st.sampled_from(["a", "é"]), st.sampled_from(BESIDE), st.sampled_from(BESIDE),
)  # fmt: skip


def recorded_of(pieces: list[dict[str, Any]], line: str) -> Outcome:
    recorder = responses.recorder()
    for piece in pieces:
        recorder.feed_all([line.encode() + b"data: " + json.dumps(piece).encode() + b"\n\n"])
    recorder.feed_all([END])
    return recorder.outcome(status=200, raw=b"", streamed=True, ended=True, expected=1)


@pytest.mark.parametrize("beside", BESIDE, ids=json.dumps)
def test_the_shorter_way_finds_the_same_whatever_stands_beside_the_text(beside: dict[str, Any]) -> None:
    piece = {"type": "response.output_text.delta", "delta": "a", **beside}
    assert recorded_of([piece], "event: response.output_text.delta\n") == recorded_of([piece], "")


@given(st.lists(PIECE, max_size=4))
def test_the_shorter_way_finds_what_the_longer_way_finds(pieces: list[dict[str, Any]]) -> None:
    assert recorded_of(pieces, "event: response.output_text.delta\n") == recorded_of(pieces, "")


KNOWN = [*BEGUN, END, ERROR, DONE, incomplete("max_output_tokens"), b": ping\n\n", b"data: {oops\n\n", END[:30]]


@given(st.lists(st.sampled_from(KNOWN), max_size=6), st.lists(st.integers(0, 4000), max_size=5))
def test_any_cut_of_any_stream_gives_the_same_record(events: list[bytes], cuts: list[int]) -> None:
    raw = b"".join(events)
    assert record(raw, cuts=[cut % (len(raw) + 1) for cut in cuts]) == record(raw)


@given(st.binary(max_size=60))
def test_no_bytes_are_too_odd_to_record(raw: bytes) -> None:
    assert record(raw).ending == "cut"
    assert record(b"data: " + raw + b"\n\n").ending in ("cut", "error")
    assert record_json(raw).ending in ("cut", "error")


ODD = st.recursive(
    st.sampled_from([None, True, -1, 10**30, "", "response.completed", "error", "function_call"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["type", "response", "item", "output", "content", "status", "usage", "error", "delta", "part"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)  # fmt: skip


@given(ODD)
def test_no_event_is_too_odd_to_record(odd: Any) -> None:
    data = json.dumps(odd).encode()
    assert record(b"data: " + data + b"\n\n").ending != "complete"
    record_json(data)


def test_what_strict_readers_cannot_read_is_given_but_not_kept() -> None:
    for usual, found, fault in (
        (
            b'"top_p":1.0',
            b'"top_p":NaN',
            "the reply holds NaN, Infinity or half a character, which strict JSON does not",
        ),
        (b'"top_p":1.0', b'"top_p":"\xff"', "the reply is not UTF-8 throughout"),
        (b'"delta":"', b'"delta":\r"', "a line of it ends with a mere CR, where JSON would take that for a space"),
    ):
        outcome = record(b"".join([*BEGUN, END]).replace(usual, found))
        assert (outcome.ending, outcome.fault) == ("complete", fault)
