"""The form of a request that means the same in every dialect, for its key; see ``plain_form``.

It is strict: whatever one dialect alone can say, or says with another shade of meaning, has no plain form, and costs no
more than an answer that is not shared between dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pennyworth.errors import RequestError
from pennyworth.request import Dialect, Request
from pennyworth.wire.bulk import MOST_TOLD, is_bulky
from pennyworth.wire.chat.prompts import fields_of
from pennyworth.wire.losses import Losses
from pennyworth.wire.members import NUMBER
from pennyworth.wire.neutral.meaning import arguments_of, arguments_text
from pennyworth.wire.neutral.nouns import Opaque, Part, Prompt, Text, Tool, ToolCall, ToolResult, Turn
from pennyworth.wire.neutral.turns import gathered
from pennyworth.wire.portable import ANYTHING, Meaningless, portable
from pennyworth.wire.speakers import SPEAKERS

LABELS = frozenset(("metadata", "prompt_cache_key", "safety_identifier", "service_tier"))
"""OpenAI's fields that say how a request is handled: no key has them, so that with and without one it is one question."""

_FIELDS: Mapping[Dialect, frozenset[str]] = {
    "chat": frozenset((
        "max_completion_tokens", "max_tokens", "messages", "model", "parallel_tool_calls", "response_format", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_p", "user", *LABELS,
    )),
    "messages": frozenset((
        "max_tokens", "messages", "metadata", "model", "stop_sequences", "stream", "system", "temperature",
        "tool_choice", "tools", "top_p",
    )),
    "responses": frozenset((
        "input", "instructions", "max_output_tokens", "model", "parallel_tool_calls", "store", "stream", "temperature",
        "text", "tool_choice", "tools", "top_p", "user", *LABELS,
    )),
}  # fmt: skip
"""A body with any other field has no plain form: so most that have none are told at once."""

_SILENT: Mapping[Dialect, Meaningless] = {
    "chat": {"stream_options": ANYTHING, **dict.fromkeys(LABELS, ANYTHING)},
    "messages": {"citations": ([],)},
    "responses": {
        "annotations": ([],),
        "id": ANYTHING,
        "logprobs": ([],),
        "status": ANYTHING,
        "store": (False,),
        **dict.fromkeys(LABELS, ANYTHING),
    },
}


def plain_form(request: Request) -> Mapping[str, Any] | None:
    """The body that means the same in every dialect, in the words of chat completions; ``None`` where there is none.

    Two requests of one plain form ask the very same thing: an answer to one is an answer to the other (key form
    ``neutral/1``). ``stream``, ``stream_options``, ``user`` and ``LABELS`` may stand in it and mean nothing there.
    """
    fields, dialect = request.fields, request.dialect
    if dialect == "chat" and _is_plain(fields):
        return fields
    if not fields.keys() <= _FIELDS[dialect]:
        return None
    if dialect == "responses" and fields.get("store") is not False:
        return None  # it is to be found again at the provider, which no other dialect asks for
    if is_bulky(request, MOST_TOLD):
        return None
    speaker = SPEAKERS[dialect]
    try:
        return _plain(portable(speaker.prompt_of(fields), _SILENT[dialect], Losses("chat", (), {}), nulls=False))
    except (RequestError, _NotPlainError):
        return None


class _NotPlainError(ValueError):
    pass


def _is_plain(fields: Mapping[str, Any]) -> bool:
    """Whether a body of chat completions is its own plain form, as nearly all are that have one."""
    for name, value in fields.items():
        if value.__class__ is not _TYPES.get(name):
            check = _CHECKS.get(name)
            if check is None or not check(value):
                return False
    return True


def _are_plain(messages: Any) -> bool:
    """Texts that are asked and answered in turn, a system's before them."""
    role = ""
    for message in messages:
        before, role = role, message.get("role")
        if len(message) != 2 or message.get("content").__class__ is not str:
            return False
        if role != "user" and role != "assistant" and (role != "system" or before):
            return False
    return role == "user"


def _are_plain_tools(tools: Any) -> bool:
    if tools.__class__ is not list or not tools:
        return False
    for tool in tools:
        function = tool.get("function") if tool.__class__ is dict and tool.get("type") == "function" else None
        if function.__class__ is not dict or len(tool) != 2:
            return False
        for name, value in function.items():
            if value.__class__ is not _OF_A_TOOL.get(name):
                return False
        if "name" not in function:
            return False
    return True


_OF_A_TOOL: Mapping[str, type] = {"name": str, "description": str, "parameters": dict}


def _is_a_share(value: Any) -> bool:
    return value.__class__ in NUMBER and 0 <= value <= 1


_TYPES: Mapping[str, type] = {"max_tokens": int, "model": str, "stream": bool, "stream_options": dict, "user": str}
"""Fields of which any value of the type will do."""

_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "messages": _are_plain,
    "temperature": _is_a_share,
    "tools": _are_plain_tools,
    "top_p": _is_a_share,
    **dict.fromkeys(LABELS, lambda value: True),
}


def _plain(prompt: Prompt) -> Mapping[str, Any]:
    """Raises ``_NotPlainError``."""
    if prompt.stop:
        raise _NotPlainError  # only Anthropic says that a stop sequence ended an answer, and at which
    if prompt.verbosity is not None or (prompt.shape and prompt.shape.kind != "text"):
        raise _NotPlainError
    if not prompt.turns or prompt.turns[-1].role != "user" or (prompt.temperature or 0) > 1:
        raise _NotPlainError
    turns = gathered(prompt.turns) if prompt.dialect == "responses" else prompt.turns
    bare = msgspec.structs.replace(
        prompt,
        dialect="chat",
        turns=tuple([_turn(turn, first=i == 0) for i, turn in enumerate(turns)]),
        tools=tuple([_tool(tool, prompt) for tool in prompt.tools]) if prompt.tools else None,
        shape=None,
        stop=None,
        spelled=("max_tokens",),
    )
    return fields_of(bare)


def _turn(turn: Turn, *, first: bool) -> Turn:
    words = "developer" in turn.spelled or "in messages" in turn.spelled
    if words or turn.role == "other" or (turn.role == "system" and not first) or not turn.parts:
        raise _NotPlainError
    parts = tuple([_part(part) for part in turn.parts])
    places = [_PLACES[turn.role].get(part.__class__, -1) for part in parts]
    if -1 in places or places != sorted(places):
        raise _NotPlainError
    return Turn(role=turn.role, parts=parts)


_PLACES: Mapping[str, Mapping[type, int]] = {
    "system": {Text: 0},
    "user": {ToolResult: 0, Text: 1},
    "assistant": {Text: 0, ToolCall: 1},
}
"""Which parts may stand in whose turns, and in what order."""


def _part(part: Part) -> Part:
    match part:
        case Text():
            return Text(text=part.text)
        case ToolCall():
            return ToolCall(id=part.id, name=part.name, arguments=_arguments(part))
        case ToolResult(is_error=None | False, name=None):
            if all(inner.__class__ is Text for inner in part.parts):
                return ToolResult(call_id=part.call_id, parts=tuple([_part(inner) for inner in part.parts]))
    raise _NotPlainError


def _arguments(call: ToolCall) -> str:
    """As text without spaces; text with any is another text."""
    try:
        value = arguments_of(call)
        text = arguments_text(msgspec.structs.replace(call, arguments=value)) if isinstance(value, dict) else ""
    except (ValueError, RecursionError):
        raise _NotPlainError from None
    if not text or (isinstance(call.arguments, str) and call.arguments != text):
        raise _NotPlainError
    return text


def _tool(tool: Tool | Opaque, prompt: Prompt) -> Tool:
    """In responses, arguments are held to their schema unless it is said that they are not."""
    if not isinstance(tool, Tool) or (prompt.dialect == "responses" and tool.strict is None):
        raise _NotPlainError
    return Tool(name=tool.name, description=tool.description, schema=tool.schema, strict=tool.strict or None)
