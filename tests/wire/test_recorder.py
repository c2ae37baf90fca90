"""What a recorder makes of a reply: rows of streams and bodies, and what they amount to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.money import Usage
from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json, event
from pennyworth.wire.chat.recorder import ChatRecorder
from tests.wire.recorded import record, record_json


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more})


def text(content: str, index: int = 0) -> bytes:
    return chunk({"content": content}, index=index)


STOP = chunk(finish="stop")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
ERROR = event({"error": {"message": "overloaded", "type": "server_error"}})
CALL = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}

ENDINGS = [
    ("a whole stream", [text("hi"), STOP, DONE], "complete"),
    ("the reason beside the last text", [chunk({"content": "hi"}, "stop"), DONE], "complete"),
    ("usage after the end", [text("hi"), STOP, USAGE, DONE], "complete"),
    ("no [DONE], but every choice has ended", [text("hi"), STOP], "complete"),
    ("[DONE] without its blank line", [text("hi"), STOP, b"data: [DONE]"], "complete"),
    ("[DONE] without a space", [text("hi"), STOP, b"data:[DONE]\n\n"], "complete"),
    ("[DONE] between CRLF", [text("hi"), STOP, b"data: [DONE]\r\n\r\n"], "complete"),
    ("comments in between", [b": ping\n\n", text("hi"), b": ping\n\n", STOP, b":\n\n", DONE], "complete"),
    ("a comment at the very end", [text("hi"), STOP, DONE, b": bye\n"], "complete"),
    ("an event of another type without data", [b"event: ping\n\n", text("hi"), STOP, DONE], "complete"),
    ("reasons in capitals", [text("hi"), chunk(finish="STOP"), DONE], "complete"),
    ("[DONE] proves nothing", [text("hi"), DONE], "cut"),
    ("only [DONE]", [DONE], "cut"),
    ("nothing", [], "cut"),
    ("only comments", [b": OPENROUTER PROCESSING\n\n"] * 4, "cut"),
    ("content alone", [text("hi")], "cut"),
    ("a reason that is empty", [text("hi"), chunk(finish=""), DONE], "cut"),
    ("no choices", [event({"choices": []}), event({"choices": None}), DONE], "cut"),
    ("the last event without its blank line", [text("hi"), STOP[:-2]], "cut"),
    ("the last event without half of it", [text("hi"), STOP[:-1]], "cut"),
    ("an event cut short", [text("hi"), STOP[:20]], "cut"),
    ("data after [DONE]", [text("hi"), STOP, DONE, text("more")], "cut"),
    ("a second [DONE]", [text("hi"), STOP, DONE, DONE], "cut"),
    ("half an event after [DONE]", [text("hi"), STOP, DONE, b"data: {"], "cut"),
    ("a chunk that is no JSON", [text("hi"), b"data: {oops\n\n", STOP, DONE], "cut"),
    ("a chunk that is no object", [text("hi"), b"data: [1]\n\n", STOP, DONE], "cut"),
    ("a chunk that is null", [text("hi"), b"data: null\n\n", STOP, DONE], "cut"),
    ("a chunk of wrong types", [text("hi"), b'data: {"choices":{"0":1}}\n\n', STOP, DONE], "cut"),
    ("a choice with a negative index", [text("hi"), chunk(finish="stop", index=-1), DONE], "cut"),
    ("a choice with an absurd index", [text("hi"), STOP, chunk(finish="stop", index=10**9), DONE], "cut"),
    ("a chunk deep as a well", [text("hi"), b"data: " + b"[" * 100_000 + b"\n\n", STOP, DONE], "cut"),
    ("a chunk with a byte that is no UTF-8", [b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', STOP, DONE], "cut"),
    ("a JSON tail", [text("hi"), STOP, b'{"error":{"message":"upstream failed"}}'], "cut"),
    ("a JSON error between the events", [text("hi"), STOP, b'{"error":{}}\n\n', DONE], "cut"),
    ("an HTML page after the events", [text("hi"), STOP, b"<html>502</html>\n"], "cut"),
    ("an HTML page between the events", [text("hi"), STOP, b"<html>502</html>\n\n", DONE], "cut"),
    ("letters after the events", [text("hi"), STOP, DONE, b"da"], "cut"),
    ("a line of an unknown field", [b" data: {}\n\n", text("hi"), STOP, DONE], "complete"),
    ("an error at once", [ERROR], "error"),
    ("an error in the middle", [text("hi"), ERROR], "error"),
    ("an error, and on it goes", [text("hi"), ERROR, STOP, DONE], "error"),
    ("an error after the end", [text("hi"), STOP, ERROR, DONE], "error"),
    ("an error by type of event", [text("hi"), STOP, b'event: error\ndata: {"message":"x"}\n\n', DONE], "error"),
    ("an error that is a word", [text("hi"), event({"error": "overloaded"}), STOP, DONE], "error"),
    ("an error in Groq's corner", [text("hi"), STOP, event({"choices": [], "x_groq": {"error": "over"}}), DONE], "error"),
    ("an error beside choices", [chunk({"content": "hi"}, "stop", error={"code": 502}), DONE], "error"),
    ("a reason nobody knows", [text("hi"), chunk(finish="insufficient_system_resource"), DONE], "error"),
    ("the reason error", [text("hi"), chunk(finish="error"), DONE], "error"),
    ("error: null is none", [text("hi"), chunk(finish="stop", error=None), DONE], "complete"),
    ("length", [text("hi"), chunk(finish="length"), DONE], "length"),
    ("length, then stop", [text("hi"), chunk(finish="length"), STOP, DONE], "length"),
    ("stop, then length", [text("hi"), STOP, chunk(finish="length"), DONE], "length"),
    ("max_tokens", [text("hi"), chunk(finish="max_tokens"), DONE], "length"),
    ("filtered", [text("hi"), chunk(finish="content_filter"), DONE], "filtered"),
    ("filtered afterwards, as Azure does", [text("hi"), STOP, chunk(finish="content_filter"), DONE], "filtered"),
    ("Gemini's filter", [text("hi"), chunk(finish="SAFETY"), DONE], "filtered"),
    ("tool calls", [chunk({"tool_calls": [CALL]}), chunk(finish="tool_calls"), DONE], "tools"),
    ("a forced tool call, which OpenAI ends with stop", [chunk({"tool_calls": [CALL]}), STOP, DONE], "tools"),
    ("a function call", [chunk({"function_call": {"name": "f"}}), chunk(finish="function_call"), DONE], "tools"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "ending"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_how_a_stream_ended(events: list[bytes], ending: str) -> None:
    raw = b"".join(events)
    outcome = record(raw)
    assert outcome.ending == ending
    assert bool(outcome.fault) == (ending in ("cut", "error"))
    assert record(raw, cuts=range(len(raw))) == outcome
    assert record(raw, ended=False).ending != "complete"


CHOICES = [
    ("both ended", 2, [text("a"), text("b", 1), STOP, chunk(finish="stop", index=1), DONE], "complete", ("stop", "stop")),
    ("the second never came", 2, [text("a"), STOP, DONE], "cut", ("stop", "")),
    ("the second never ended", 2, [text("a"), text("b", 1), STOP, DONE], "cut", ("stop", "")),
    ("the first never came", 2, [text("b", 1), chunk(finish="stop", index=1), DONE], "cut", ("", "stop")),
    ("a gap", 3, [STOP, chunk(finish="stop", index=2), DONE], "cut", ("stop", "", "stop")),
    ("one too many, whole", 1, [STOP, chunk(finish="stop", index=1), DONE], "complete", ("stop", "stop")),
    ("one too many, not ended", 1, [STOP, text("b", 1), DONE], "cut", ("stop", "")),
    ("one cut at its length", 2, [STOP, chunk(finish="length", index=1), DONE], "length", ("stop", "length")),
    ("one filtered, one too long", 2, [chunk(finish="content_filter"), chunk(finish="length", index=1), DONE], "filtered", ("content_filter", "length")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("n", "events", "ending", "finishes"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES]
)
def test_every_choice_has_to_end(n: int, events: list[bytes], ending: str, finishes: tuple[str, ...]) -> None:
    outcome = record(b"".join(events), n=n)
    assert (outcome.ending, outcome.finishes) == (ending, finishes)


@pytest.mark.parametrize("cr", [b"\r\n", b"\r"])
def test_line_ends_do_not_matter(cr: bytes) -> None:
    raw = b"".join(chat_events(["Hel", "lo"], usage=(3, 2)))
    other = record(raw.replace(b"\n", cr))
    plain = record(raw)
    assert (other.ending, other.usage, other.finishes) == (plain.ending, plain.usage, plain.finishes)
    assert other.ending == "complete"


def test_what_a_whole_stream_says_of_itself() -> None:
    raw = b"".join(chat_events(["Hel", "lo"], usage=(3, 2), model="gpt-x"))
    outcome = record(raw)
    assert outcome.usage == Usage(input=3, output=2)
    assert outcome.served_by == "gpt-x"
    assert outcome.fingerprint == "fp_scripted"
    assert outcome.raw == raw
    assert outcome.streamed
    assert outcome.text == ""  # the usage is known, so nobody has to count
    assert (outcome.tools, outcome.server_tools, outcome.refusal, outcome.fault) == ((), False, False, "")


def test_what_was_generated_before_a_break_can_be_counted() -> None:
    events = [
        chunk({"reasoning_content": "think "}),
        chunk({"reasoning": "more "}),
        text("one "),
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "two "}]}, {"type": "text", "text": "three "}]}),
        chunk({"refusal": "no "}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": '{"a":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    ]  # fmt: skip
    assert record(b"".join(events), ended=False).text == 'think more one two three no {"a":1}'


def test_the_last_usage_counts_and_groqs_only_where_there_is_no_other() -> None:
    running = [chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": i}) for i in (1, 2, 3)]
    assert record(b"".join([*running, STOP, DONE])).usage == Usage(input=3, output=3)
    groq = chunk(finish="stop", x_groq={"id": "r", "usage": {"prompt_tokens": 7, "completion_tokens": 1}})
    assert record(b"".join([text("a"), groq, DONE])).usage == Usage(input=7, output=1)
    assert record(b"".join([text("a"), groq, USAGE, DONE])).usage == Usage(input=3, output=2)
    assert record(b"".join([text("a"), USAGE, chunk(finish="stop", usage=None), DONE])).usage == Usage(
        input=3, output=2
    )


def test_tokens_count_even_from_a_last_event_that_is_not_whole() -> None:
    outcome = record(b"".join([text("a"), STOP, USAGE[:-2]]))
    assert (outcome.usage, outcome.ending) == (Usage(input=3, output=2), "cut")


CALLS = [
    ("pieces of two", [{"index": 0, "function": {"name": "f", "arguments": ""}}], [{"index": 0, "function": {"arguments": "{"}}, {"index": 1, "function": {"name": "g"}}], ("f", "g")),
    ("a name said again", [{"index": 0, "function": {"name": "f"}}], [{"index": 0, "function": {"name": "f"}}], ("f",)),
    ("no name at all", [{"index": 0, "function": {"arguments": "{}"}}], [], ("unnamed",)),
    ("a named one and one without", [{"index": 0, "function": {"name": "f"}}], [{"index": 1, "id": "x"}], ("f", "unnamed")),
    ("a custom tool", [{"index": 0, "type": "custom", "custom": {"name": "shell", "input": "ls"}}], [], ("shell",)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "tools"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_names_of_the_tools_that_were_called(first: list[Any], second: list[Any], tools: tuple[str, ...]) -> None:
    events = [chunk({"tool_calls": first}), chunk({"tool_calls": second}), chunk(finish="tool_calls"), DONE]
    outcome = record(b"".join(events))
    assert (outcome.tools, outcome.ending) == (tools, "tools")
    calls = [{"function": {"name": name}} for name in ("f", "g")]
    assert record_json(chat_json(None, finish="stop", message={"tool_calls": calls})).tools == ("f", "g")


SEARCHED = [
    {"annotations": [{"type": "url_citation"}]},
    {"executed_tools": [{"type": "search"}]},
    {"context": {"citations": [{"content": "x"}]}},
    {"citations": ["https://example.com"]},
]


@pytest.mark.parametrize("sign", SEARCHED, ids=lambda sign: next(iter(sign)))
def test_a_reply_shows_that_the_provider_looked_beyond_the_prompt(sign: dict[str, Any]) -> None:
    assert record(b"".join([chunk({"content": "a", **sign}), STOP, DONE])).server_tools
    assert record_json(chat_json("a", message=sign)).server_tools
    assert not record_json(chat_json("a", message=dict.fromkeys(sign))).server_tools


@pytest.mark.parametrize("sign", ["citations", "search_results", "web_search"])
def test_sources_beside_the_choices_show_it_too(sign: str) -> None:
    assert record_json(chat_json("a", more={sign: [{"url": "https://example.com"}]})).server_tools
    assert not record_json(chat_json("a", more={sign: []})).server_tools


def test_usage_of_a_search_shows_it_too() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "num_sources_used": 2}
    assert record_json(chat_json("a", usage=usage)).server_tools


def test_a_refusal_is_noted() -> None:
    assert record_json(chat_json(None, message={"refusal": "I cannot help."})).refusal
    assert record(b"".join([chunk({"refusal": "I can"}), STOP, DONE])).refusal
    assert not record_json(chat_json("fine", message={"refusal": ""})).refusal


COMMITS = [
    ({"role": "assistant", "content": ""}, False),
    ({"role": "assistant", "content": None, "tool_calls": None, "refusal": None, "audio": None}, False),
    ({}, False),
    ({"annotations": []}, False),
    ({"content": "a"}, True),
    ({"content": [{"type": "text", "text": "a"}]}, True),
    ({"reasoning": "a"}, True),
    ({"reasoning_content": "a"}, True),
    ({"refusal": "a"}, True),
    ({"tool_calls": [CALL]}, True),
    ({"function_call": {"name": "f"}}, True),
    ({"audio": {"id": "a"}}, True),
]


@pytest.mark.parametrize(("delta", "commits"), COMMITS, ids=[json.dumps(row[0])[:40] for row in COMMITS])
def test_content_a_call_or_reasoning_commits_a_reply(delta: dict[str, Any], commits: bool) -> None:
    recorder = ChatRecorder()
    recorder.feed(chunk(delta))
    assert recorder.committed is commits


def test_role_usage_and_end_commit_nothing() -> None:
    recorder = ChatRecorder()
    for one in (chunk({"role": "assistant"}), USAGE, STOP, b": ping\n\n", DONE):
        recorder.feed(one)
    assert not recorder.committed
    assert recorder.done


BODIES = [
    ("a whole one", chat_json("hi"), 200, "complete"),
    ("pretty-printed", json.dumps(json.loads(chat_json("hi")), indent=2).encode() + b"\n", 200, "complete"),
    ("cut at its length", chat_json("hi", finish="length"), 200, "length"),
    ("filtered", chat_json("", finish="content_filter"), 200, "filtered"),
    ("a tool call", chat_json(None, finish="tool_calls", message={"tool_calls": [CALL]}), 200, "tools"),
    ("without a reason", chat_json("hi", finish=None), 200, "cut"),
    ("half of it", chat_json("hi")[:-5], 200, "cut"),
    ("nothing", b"", 200, "cut"),
    ("no JSON", b"<html>", 200, "cut"),
    ("two", chat_json("hi") * 2, 200, "cut"),
    ("no choices", b'{"choices":[]}', 200, "cut"),
    ("some other object", b'{"detail":"not found"}', 200, "cut"),
    ("an error with 200", b'{"error":{"message":"x"}}', 200, "error"),
    ("an error", b'{"error":{"message":"x"}}', 429, "error"),
    ("a page", b"<html>", 502, "error"),
    ("a whole one with 500", chat_json("hi"), 500, "error"),
]


@pytest.mark.parametrize(("raw", "status", "ending"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_how_a_body_ended(raw: bytes, status: int, ending: str) -> None:
    outcome = record_json(raw, status=status)
    assert outcome.ending == ending
    assert record_json(raw, status=status, ended=False).ending != "complete"


def test_the_fault_says_what_was_wrong() -> None:
    assert "malformed reply" in record_json(b"<html>").fault
    assert record_json(b'{"detail":1}').fault == "the reply has no choices"
    assert record(text("hi")).fault == "the reply broke off before every choice had ended"
    assert record(b"".join([STOP, DONE, STOP])).fault == "data after [DONE]"
    assert record(b"".join([text("x"), b'{"error":1}'])).fault == "trailing bytes that are no event"
    assert record(STOP[:-3]).fault == "the last event is not whole"
    assert record(ERROR).fault == "the provider sent an error"
    assert record(chunk(finish="abort" * 50)).fault.startswith("it ended for a reason we do not know: 'abortabort")
    assert len(record(chunk(finish="abort" * 50)).fault) < 100


@pytest.mark.parametrize(
    "rest", [b'event: error\ndata: {"er', b'data: {"error":{"message":"overloaded"}}', b"event: error\ndata: {}\n"]
)
def test_an_error_whose_event_is_cut_short_has_told_nobody(rest: bytes):
    """The SDKs drop it, so the reader has to be told by us, as of any stream that broke off."""
    assert record(text("hi") + rest).ending == "cut"
    assert record(text("hi") + rest + b"\n\n").ending == "error"
    assert record(text("hi") + b'data: {"error":{}}\n\n' + rest).ending == "error"


LOOSE = [
    b'{"choices":[{"delta":{"content":"\\ud83d"},"logprobs":[NaN,-Infinity]}]}',
    b'{"choices":[{"delta":{"content":"\\udc00"}}]}',
]


@pytest.mark.parametrize("data", LOOSE)
def test_what_only_loose_readers_take_reaches_the_caller_but_is_not_kept(data: bytes) -> None:
    """Python's and JavaScript's readers take it, so a caller who goes direct would have had a whole reply."""
    outcome = record(b"".join([event(data), STOP, USAGE, DONE]))
    assert outcome.ending == "complete"
    assert "NaN" in outcome.fault
    assert outcome.usage == Usage(input=3, output=2)
    outcome.text.encode()
    body = record_json(b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop","logprobs":NaN}]}')
    assert body.ending == "complete"
    assert body.fault


junk = st.sampled_from(
    [text("a"), STOP, DONE, USAGE, ERROR, b": c\n\n", b"data: x\n\n", b"\n\n", chunk({"tool_calls": [CALL]}), chunk(finish="length"), b"\x00", b"data: {"]
)  # fmt: skip


@given(st.lists(junk, max_size=6), st.lists(st.integers(0, 900), max_size=5))
def test_any_cut_of_any_stream_gives_the_same_record(events: list[bytes], cuts: list[int]) -> None:
    raw = b"".join(events)
    assert record(raw, cuts=[cut % (len(raw) + 1) for cut in cuts]) == record(raw)


@given(st.binary(max_size=60))
def test_no_bytes_are_too_odd_to_record(raw: bytes) -> None:
    assert record(raw).ending == "cut"
    assert record(b"data: " + raw + b"\n\n").ending in ("cut", "error")
    assert record_json(raw).ending == "cut"


def test_what_strict_readers_cannot_read_is_given_but_not_kept() -> None:
    """Nobody needs these parts of a reply here, so their bytes are skipped; whoever is given it again may need them."""
    skipped = event(b'{"choices":[{"index":0,"delta":{"content":"x"}}],"trace":"\xff"}')
    outcome = record(b"".join([skipped, STOP, DONE]))
    assert (outcome.ending, outcome.fault) == ("complete", "the reply is not UTF-8 throughout")
    body = record_json(b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],"trace":"\xff"}')
    assert (body.ending, body.fault) == ("complete", "the reply is not UTF-8 throughout")


def test_a_mere_cr_ends_a_line_even_where_json_takes_it_for_a_space() -> None:
    outcome = record(b"".join([text("x").replace(b'"delta":', b'"delta"\r:'), STOP, DONE]))
    assert outcome.fault == "a line of it ends with a mere CR, where JSON would take that for a space"
    assert not record(b"".join([text("x"), STOP, DONE]).replace(b"\n", b"\r\n")).fault
