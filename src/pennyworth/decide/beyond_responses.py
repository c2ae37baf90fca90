"""The same question of ``beyond`` for OpenAI Responses, where a request may point to what the provider remembers.

``store`` is on there unless it is said to be off. That alone does not keep an answer out of the cache, or none of this
dialect would ever be kept: only who asks for it by name, or goes on from what was stored, is taken at his word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.decide import beyond

TELLING = frozenset(("prompt", "include"))
"""Body fields of this dialect alone that are worth a look; ``beyond.TELLING`` has the others."""

_INCLUDED = frozenset(("reasoning.encrypted_content", "message.output_text.logprobs"))
"""What may be included that was generated for the request alone; anything else is a tool's result or a link to it."""

_TOOLS = frozenset(("additional_tools", "tool_search_output"))
"""Types of items that bring tools with them."""


def in_body(fields: Mapping[str, Any]) -> str:
    """What of this dialect's own an answer would depend on besides the request; "" = nothing."""
    if not TELLING.isdisjoint(fields):
        if fields.get("prompt"):
            return "prompt: a template that the provider keeps, and that may change there"
        if other := _included(fields.get("include")):
            return other
    said = fields.get("input")
    if said.__class__ is str:
        return ""
    for item in said if isinstance(said, list) else ():
        if isinstance(item, dict) and (reason := _in_item(item)):
            return reason
    return ""


def _included(wanted: object) -> str:
    if not wanted:
        return ""
    for name in wanted if isinstance(wanted, list) else (wanted,):
        if not (isinstance(name, str) and name in _INCLUDED):
            return f"include {beyond.shown(name)}: it is more than was generated for the request"
    return ""


def _in_item(item: Mapping[str, Any]) -> str:
    kind = item.get("type")
    if kind == "item_reference" or (kind is None and "role" not in item and "id" in item):
        return "item_reference: the item is at the provider, not in the request"
    if kind == "reasoning" and not (item.get("encrypted_content") or item.get("content")):
        return "reasoning by its id alone: the provider remembers what was thought"
    if kind == "image_generation_call" and not item.get("result"):
        return "image_generation_call by its id alone: the image is at the provider"
    if isinstance(kind, str) and kind in _TOOLS and (reason := beyond.in_tools(item.get("tools"))):
        return reason
    for content in (item.get("content"), item.get("output")):
        if content.__class__ is not str and (reason := beyond.in_content(content)):
            return reason
    return ""
