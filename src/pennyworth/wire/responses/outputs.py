"""What an item of a response's output means: who acts on it, whether it makes a reply of it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pennyworth.wire.responses.body import Item

_SPOKEN = frozenset(("message", "reasoning", "compaction"))
"""Types of items that rest on the request alone and ask nothing of the caller."""

_CALLS = frozenset(
    (
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    )
)
"""Types of items by which the caller is made to do something."""


def called(item: Item) -> str | None:
    """The name of the tool by which the caller is to do something, "" where it has none; ``None``: it is no such item."""
    if item.type in _CALLS or _for_the_caller(item):
        return item.name or ("" if item.type in ("function_call", "custom_tool_call") else item.type)
    return None


def reaching(item: Item) -> bool:
    """The provider searched, ran code or called another server. So does, for all we know, what is not known here."""
    return not (item.type in _SPOKEN or item.type in _CALLS or _for_the_caller(item))


def committing(item: Item, *, whole: bool) -> bool:
    """A reply is made of this item; one that only begins is none yet, unless it is a call."""
    if item.type not in _SPOKEN:
        return True
    return bool(item.content or item.summary) or (whole and item.type != "message")


def texts(item: Item) -> Iterator[str]:
    """All that was generated for it, where it can be read."""
    for part in (*(item.summary or ()), *(item.content or ())):
        if text := part.text or part.refusal:
            yield text
    for said in (item.arguments, item.input):
        if isinstance(said, str):
            yield said
        elif said:
            yield msgspec.json.encode(said).decode()


def _for_the_caller(item: Item) -> bool:
    """Of the tools that may run on either side: ``execution`` of a tool search, ``environment`` of a shell."""
    if item.type == "tool_search_call":
        return bool(item.execution == "client")
    place = item.environment if item.type == "shell_call" else None
    return isinstance(place, dict) and place.get("type") == "local"
