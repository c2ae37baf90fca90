"""What is decided of requests and replies of Anthropic Messages: never kept, estimated, bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide import cacheable, worst
from pennyworth.decide.tokens import estimate_request, estimate_tokens
from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.plan import CacheSpec, Route
from pennyworth.request import Caller, Request
from pennyworth.wire import messages

ROUTE = Route(name="default", models=("*",), tools=("look",))
URL = {"type": "url", "url": "https://example.org/a.png"}
FILE = {"type": "file", "file_id": "file_1"}
DATA = {"type": "base64", "media_type": "image/png", "data": "aGk="}


def ask(*blocks: dict[str, Any], **more: Any) -> Request:
    content = [{"type": "text", "text": "hello"}, *blocks]
    body = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": content}], **more}
    return messages.read_request(json.dumps(body).encode(), {}, Caller("s"))


def tool(kind: str | None = None) -> dict[str, Any]:
    return {"name": "look", "input_schema": {}} | ({"type": kind} if kind else {})


def result(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content)}


KEPT = [
    ask(),
    ask(system="be brief"),
    ask(system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]),
    ask(tools=[tool(), tool("custom")]),
    ask(tools=[{"type": "bash_20250124", "name": "bash"}, {"type": "text_editor_20250728", "name": "e"}]),
    ask(tools=[{"type": "computer_20251124", "name": "c"}, {"type": "memory_20250818", "name": "m"}]),
    ask({"type": "image", "source": DATA}),
    ask({"type": "document", "source": DATA}),
    ask({"type": "document", "source": {"type": "text", "data": "see https://example.org"}, "title": "https://x"}),
    ask({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}}),
    ask({"type": "search_result", "source": "https://example.org", "title": "t", "content": []}),
    ask({"type": "tool_use", "id": "t", "name": "f", "input": {"url": "https://example.org", "file_id": "f"}}),
    ask(result({"type": "text", "text": "https://example.org"}, {"type": "image", "source": DATA})),
    ask({"type": "thinking", "thinking": "x", "signature": "s"}),
    ask(temperature=0),
    ask(thinking={"type": "adaptive"}),
    ask(metadata={"user_id": "u"}),
    ask(context_management=None, mcp_servers=[], container=None),
]


@pytest.mark.parametrize("request_", KEPT, ids=range(len(KEPT)))
def test_what_is_all_in_the_request_may_be_kept(request_: Request) -> None:
    assert cacheable.verdict(request_, ROUTE, True) == cacheable.Verdict(True, True, True, "may be kept")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ask(tools=[{"type": "web_search_20250305", "name": "web_search"}]), "web_search"),
        (ask(tools=[tool(), {"type": "web_fetch_20250910", "name": "web_fetch"}]), "web_fetch"),
        (ask(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]), "code_execution"),
        (ask(tools=[{"type": "bash_code_execution", "name": "x"}]), "bash_code_execution"),
        (ask(tools=[{"type": "tool_search_tool_bm25_20251119", "name": "x"}]), "tool_search"),
        (ask(tools=[{"type": "mcp_toolset", "mcp_server_name": "x"}]), "mcp_toolset"),
        (ask(mcp_servers=[{"type": "url", "url": "https://x", "name": "x"}]), "mcp_servers"),
        (ask(container="container_1"), "container"),
        (ask(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}), "context_management"),
        (ask(compaction={"instructions": "x"}), "compaction"),
        (ask(thread={"type": "create"}), "thread"),
        (ask({"type": "image", "source": URL}), "link"),
        (ask({"type": "image", "source": FILE}), "file_id"),
        (ask({"type": "document", "source": URL}), "link"),
        (ask({"type": "document", "source": FILE}), "file_id"),
        (ask({"type": "document", "source": {"type": "new"}}), "unknown form"),
        (ask({"type": "image"}), "unknown form"),
        (ask({"type": "container_upload", "file_id": "f"}), "file_id"),
        (ask(result({"type": "image", "source": URL})), "link"),
        (ask(result({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": FILE}]}})), "file_id"),
        (ask(system=[{"type": "image", "source": URL}]), "link"),
        (ask(temperature=0.7), "temperature 0.7"),
    ],
)  # fmt: skip
def test_what_rests_on_more_than_the_request_is_never_kept(request_: Request, why: str) -> None:
    verdict = cacheable.verdict(request_, ROUTE, True)
    assert (verdict.look, verdict.keep, verdict.share) == (False, False, False)
    assert why in verdict.reason


def reply(**change: Any) -> Outcome:
    whole = {"dialect": "messages", "ending": "complete", "status": 200, "raw": b"{}", "finishes": ("end_turn",)}
    return Outcome(**{**whole, "usage": Usage(input=5, output=5), **change})


CALL = {"ending": "tools", "finishes": ("tool_use",)}


@pytest.mark.parametrize(
    ("outcome", "kept", "why"),
    [
        (reply(), True, "kept"),
        (reply(finishes=("stop_sequence",)), True, "kept"),
        (reply(**CALL, tools=("look",)), True, "kept"),
        (reply(**CALL, tools=("buy",)), False, "tool buy is not among route.tools"),
        (reply(**CALL), False, "by no name"),
        (reply(finishes=("tool_use",)), False, "by no name"),
        (reply(finishes=("pause_turn",)), False, "the turn is not over: pause_turn"),
        (reply(finishes=("compaction",)), False, "the turn is not over: compaction"),
        (reply(ending="length", finishes=("max_tokens",)), False, "length limit"),
        (reply(ending="filtered", finishes=("refusal",), refusal=True), False, "declined"),
        (reply(finishes=("",)), False, "no terminal reason"),
        (reply(server_tools=True), False, "tools of its own"),
    ],
)
def test_only_a_turn_that_is_over_is_kept(outcome: Outcome, kept: bool, why: str) -> None:
    request = ask(tools=[tool()])
    verdict = cacheable.verdict(request, ROUTE, True)
    found = cacheable.keep(request, outcome, verdict, ROUTE, CacheSpec(), target_is_primary=True)
    assert found.kept == kept
    assert why in found.reason


LONG = "A sentence of nine words that says nothing much. " * 40


@pytest.mark.parametrize(
    "request_",
    [
        ask(system=LONG),
        ask(system=[{"type": "text", "text": LONG}]),
        ask({"type": "text", "text": LONG}),
        ask({"type": "tool_use", "id": "t", "name": "f", "input": {"said": LONG}}),
        ask({"type": "tool_result", "tool_use_id": "t", "content": LONG}),
        ask(result({"type": "text", "text": LONG})),
        ask({"type": "document", "source": {"type": "text", "data": LONG}}),
        ask({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": LONG}]}}),
    ],
    ids=["system", "system blocks", "text", "call", "result", "result blocks", "document", "document blocks"],
)
def test_a_text_counts_wherever_it_stands(request_: Request) -> None:
    assert estimate_request(request_.fields) == pytest.approx(
        estimate_tokens(LONG) + estimate_request(ask().fields), rel=0.05
    )


def test_what_is_no_text_counts_by_its_kind_and_what_was_thought_before_does_not() -> None:
    plain = estimate_request(ask().fields)
    assert estimate_request(ask({"type": "image", "source": DATA}).fields) > plain + 1000
    assert estimate_request(ask({"type": "document", "source": DATA}).fields) > plain + 1500
    assert estimate_request(ask({"type": "thinking", "thinking": LONG, "signature": LONG}).fields) == plain
    assert estimate_request(ask(tools=[tool()]).fields) > plain + 400


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXT, TEXT, TEXT, st.booleans())
def test_the_bound_is_no_less_than_the_bytes_of_all_texts(
    system: str, said: str, described: str, escaped: bool
) -> None:
    body = {
        "model": "claude-x",
        "max_tokens": 64,
        "system": [{"type": "text", "text": system}],
        "messages": [{"role": "user", "content": said}],
        "tools": [{"name": "f", "description": described, "input_schema": {}}, {"type": "bash_20250124", "name": "b"}],
    }
    asked = messages.read_request(json.dumps(body, ensure_ascii=escaped).encode(), {}, Caller("s"))
    need = worst.bound(asked)
    assert need.into >= sum(len(text.encode()) for text in (system, said, described)) + 346 + 700
    assert need.out == 64


@pytest.mark.parametrize(
    ("body", "dearer"),
    [
        (b'{"ttl":"1h"}', True),
        (b'{"ttl": "1h"}', True),
        (b'{"ttl":"\\u0031h"}', True),
        (b'{"ttl":"5m"}', False),
        (b'{"text":"in 1h"}', False),
    ],
)
def test_what_may_be_kept_for_an_hour_may_cost_more(body: bytes, dearer: bool) -> None:
    request = Request(dialect="messages", model="m", body=body, fields={}, caller=Caller("s"))
    assert worst.bound(request).for_an_hour == dearer
