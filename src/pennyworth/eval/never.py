"""What must never be kept, by the plainest reading of a request and its reply: a second opinion on ``decide.cacheable``.

The rules are those of the design: errors and what broke off, an end that is no good end, refusals, tool calls, anything a
provider looked up or ran by itself, what is stored or continued at the provider, pictures by address, samples asked for on
purpose. It shares no code with ``decide``; where in doubt it says never.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pennyworth.eval import plain
from pennyworth.eval.case import Case

_SWITCHES = (
    "web_search_options",
    "enable_search",
    "search_parameters",
    "web_search",
    "plugins",
    "mcp_servers",
    "data_sources",
)
_STATE = ("previous_response_id", "conversation", "container", "background", "prompt", "context_management")
_OWN_TOOLS = frozenset(("function", "custom", "", None))
_LOCAL_OUTPUT = frozenset(("message", "reasoning", "function_call"))
_LOCAL_BLOCKS = frozenset(("text", "thinking", "redacted_thinking"))
_AT_THE_CALLERS = re.compile(r"(memory|bash|text_editor|computer)_\d")
"""Anthropic's own tools that the caller runs."""
_SEARCHING = re.compile(r"search|sonar|online|compound|research", re.IGNORECASE)
_POINTS_AWAY = ("image_url", "file_url", "url", "file_id")


def never(case: Case) -> str:
    """Why this reply must never be kept; "" where nothing speaks against it."""
    return next(_reasons(case), "")


def _reasons(case: Case) -> Iterator[str]:
    asked, said, dialect = case.asked, case.said, case.row.dialect
    if case.row.status != 200:
        yield f"status {case.row.status}"
    if any(one.get("error") for one in said) or not said:
        yield "an error, or nothing"
    if not plain.ended_well(dialect, said):
        yield "not a good end"
    if dialect == "chat" and plain.choices(said) < (asked.get("n") or 1):
        yield "fewer choices than asked for"
    if case.row.streamed and dialect != "chat" and not plain.finished(dialect, said):
        yield "broke off"
    yield from _of_request(asked)
    yield from _of_reply(said)


def _of_request(asked: dict[str, Any]) -> Iterator[str]:
    temperature = asked.get("temperature")
    if isinstance(temperature, int | float) and temperature > 0:
        yield "sampled on purpose"
    if asked.get("store") is True:
        yield "stored at the provider"
    for name in (*_SWITCHES, *_STATE):
        if asked.get(name):
            yield name
    if _SEARCHING.search(str(asked.get("model"))):
        yield "a model that searches"
    if any(_runs_there(tool) for tool in asked.get("tools") or ()):
        yield "tools at the provider"
    if any(_points_away(node) for name in ("messages", "input", "system") for node in _nodes(asked.get(name))):
        yield "points to something elsewhere"


def _of_reply(said: list[dict[str, Any]]) -> Iterator[str]:
    for node in _nodes(said):
        if node.get("refusal"):
            yield "a refusal"
        if node.get("tool_calls") or node.get("function_call") or node.get("type") in ("tool_use", "function_call"):
            yield "a tool was called"
        if node.get("annotations") or node.get("citations") or node.get("executed_tools") or node.get("search_results"):
            yield "rests on what was looked up"
        if any(_foreign(item, _LOCAL_OUTPUT) for item in node.get("output") or ()):
            yield "an item of a tool at the provider"
        if node.get("type") == "content_block_start" and _foreign(node.get("content_block"), _LOCAL_BLOCKS):
            yield "a block of a tool at the provider"
    if (
        said
        and isinstance(said[0].get("content"), list)
        and any(_foreign(one, _LOCAL_BLOCKS) for one in said[0]["content"])
    ):
        yield "a block of a tool"


def _runs_there(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind not in _OWN_TOOLS and not _AT_THE_CALLERS.match(str(kind))


def _foreign(item: Any, known: frozenset[str]) -> bool:
    return isinstance(item, dict) and item.get("type") not in known


def _points_away(node: dict[str, Any]) -> bool:
    for name in _POINTS_AWAY:
        value = node.get(name)
        url = value.get("url") if isinstance(value, dict) else value
        if isinstance(url, str) and not url.startswith("data:"):
            return True
    return node.get("type") == "item_reference"


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, however deep."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)
