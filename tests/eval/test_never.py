"""The second opinion on what must never be kept: each reason is seen, and nothing is seen where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from pennyworth.eval.case import case_of
from pennyworth.eval.never import never

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
CHOICE: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
SAID: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [CHOICE]}


def asked(**fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {**ASK, **fields}, SAID


def said(**fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return ASK, {**SAID, "choices": [{**CHOICE, **fields}]}


def told(**fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return said(message={**CHOICE["message"], **fields})


def user(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (asked(temperature=0.7), "sampled"),
        (asked(store=True), "stored"),
        (asked(web_search_options={}, enable_search=True), "enable_search"),
        (asked(model="gpt-4o-search-preview"), "searches"),
        (asked(tools=[{"type": "web_search"}]), "tools at the provider"),
        (asked(previous_response_id="r"), "previous_response_id"),
        (asked(n=2), "fewer choices"),
        (asked(**user({"type": "image_url", "image_url": {"url": "https://x/y.png"}})), "elsewhere"),
        (said(finish_reason="length"), "not a good end"),
        (said(finish_reason="content_filter"), "not a good end"),
        (said(finish_reason=None), "not a good end"),
        (told(refusal="I cannot"), "refusal"),
        (told(tool_calls=[{"id": "c", "type": "function"}]), "a tool was called"),
        (told(annotations=[{"type": "url_citation"}]), "looked up"),
        ((ASK, {"error": {"message": "no"}}), "an error"),
    ],
)
def test_each_reason_is_seen(row: Any, pair: tuple[dict[str, Any], dict[str, Any]], why: str) -> None:
    assert why in never(case_of(row("chat", *pair)))


@pytest.mark.parametrize(
    "pair",
    [
        (ASK, SAID),
        asked(temperature=0, store=False, tools=[{"type": "function", "function": {"name": "f"}}], seed=1, top_p=0.5),
        asked(**user({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}})),
        told(refusal=None, annotations=[], tool_calls=None),
    ],
)
def test_nothing_speaks_against_a_plain_answer(row: Any, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert never(case_of(row("chat", *pair))) == ""


def test_an_error_status_is_a_reason_whatever_the_body(row: Any) -> None:
    assert never(case_of(row("chat", ASK, SAID, status=500))) == "status 500"


def test_a_stream_that_broke_off_is_no_good_end(row: Any) -> None:
    begun = 'data: {"choices":[{"index":0,"delta":{"content":"hel"}}]}\n\n'
    ended = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    assert never(case_of(row("chat", ASK, begun))) == "not a good end"
    assert never(case_of(row("chat", ASK, begun + ended))) == ""


BLOCK = {"type": "text", "text": "hello"}
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "stop_reason": "end_turn",
    "content": [BLOCK],
}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"stop_reason": "refusal"}, "not a good end"),
        ({"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}, "a tool was called"),
        ({"content": [{"type": "web_search_tool_result"}, BLOCK]}, "a block of a tool"),
    ],
)
def test_anthropics_replies_are_judged_by_their_blocks(row: Any, fields: dict[str, Any], why: str) -> None:
    ask = {"model": "claude", "max_tokens": 9, "messages": ASK["messages"]}
    found = never(case_of(row("messages", ask, {**MESSAGE, **fields})))
    assert (why in found) if why else (found == "")


@pytest.mark.parametrize(("kind", "why"), [("memory_20250818", ""), ("web_search_20250305", "tools at the provider")])
def test_a_tool_of_anthropics_own_is_judged_by_who_runs_it(row: Any, kind: str, why: str) -> None:
    ask = {"model": "claude", "max_tokens": 9, "messages": ASK["messages"], "tools": [{"type": kind, "name": "t"}]}
    assert never(case_of(row("messages", ask, MESSAGE))) == why


ITEM = {
    "id": "i",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "hi", "annotations": []}],
}
RESPONSE = {"id": "r", "object": "response", "model": "gpt-4o", "status": "completed", "error": None, "output": [ITEM]}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"status": "incomplete"}, "not a good end"),
        ({"output": [{"type": "web_search_call"}, ITEM]}, "an item of a tool"),
        ({"output": [{"type": "function_call", "name": "f"}]}, "a tool was called"),
    ],
)
def test_responses_are_judged_by_their_items(row: Any, fields: dict[str, Any], why: str) -> None:
    found = never(case_of(row("responses", {"model": "gpt-4o", "input": "hi"}, {**RESPONSE, **fields})))
    assert (why in found) if why else (found == "")
