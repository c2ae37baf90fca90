"""The same question of ``beyond`` for the content blocks of Anthropic Messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.decide.beyond import pointed_at

_INSIDE = frozenset(("text", "thinking", "redacted_thinking", "tool_use", "search_result"))
"""Blocks that hold all they say. The ``source`` of a search result is a name the caller gives it."""

_HELD = frozenset(("base64", "text", "content"))
"""Sources of images and documents that are in the request themselves."""


def in_body(fields: Mapping[str, Any]) -> str:
    """The first block that only points at something; "" = all is in the request."""
    for message in fields.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else None
        if content.__class__ is list and (reason := _in_blocks(content)):
            return reason
    system = fields.get("system")
    return _in_blocks(system) if isinstance(system, list) else ""


def _in_blocks(blocks: list[Any]) -> str:
    """A stack, not recursion: the depth is the caller's."""
    left = list(blocks)
    while left:
        block = left.pop()
        kind = block.get("type") if isinstance(block, dict) else ""
        if not kind or (isinstance(kind, str) and kind in _INSIDE):
            continue
        if kind == "tool_result":
            _push(left, block.get("content"))
        elif kind in ("image", "document"):
            source = block.get("source")
            if not isinstance(source, dict) or source.get("type") not in _HELD:
                return pointed_at(block) or f"{kind} in an unknown form"
            _push(left, source.get("content"))
        elif reason := pointed_at(block):
            return reason
    return ""


def _push(left: list[Any], content: object) -> None:
    if isinstance(content, list):
        left.extend(content)
