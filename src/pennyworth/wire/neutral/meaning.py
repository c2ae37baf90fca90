"""What a prompt means, however it is put: two that mean the same are equal here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from pennyworth.canonical import Lexeme, lexeme_of
from pennyworth.wire import loose
from pennyworth.wire.neutral.nouns import Image, Node, Part, Prompt, Refusal, Text, ToolCall, ToolResult, Turn

_READ = msgspec.json.Decoder(float_hook=Lexeme).decode
_WRITE = msgspec.json.Encoder(enc_hook=lexeme_of).encode


def arguments_of(call: ToolCall) -> Any:
    """The arguments as a value; nothing at all is an empty object. Raises ``ValueError`` where they are no JSON."""
    said = call.arguments
    if not isinstance(said, str):
        return said
    return _READ(said) if said.strip() else {}


def arguments_text(call: ToolCall) -> str:
    said = call.arguments
    if isinstance(said, str):
        return said
    try:
        return _WRITE(said).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return loose.write(said).decode()


def meaning(prompt: Prompt) -> Prompt:
    """The same prompt without the ways in which it is put.

    Turns of one role in a row are one turn (Anthropic joins them, and OpenAI's items are turns in pieces). What was refused
    is what was said. What a field means by being absent is left absent.
    """
    shape = prompt.shape
    return msgspec.structs.replace(
        _bare(prompt),
        dialect="chat",
        turns=tuple(_joined(prompt.turns)),
        tools=tuple(_tool(tool) for tool in prompt.tools) if prompt.tools else None,
        choice=_bare(prompt.choice) if prompt.choice and prompt.choice.mode != "auto" else None,
        parallel=None if prompt.parallel or not prompt.tools else prompt.parallel,
        shape=msgspec.structs.replace(_bare(shape), name=None, strict=None) if shape and shape.kind != "text" else None,
        stop=prompt.stop or None,
        verbosity=None if prompt.verbosity == "medium" else prompt.verbosity,
        stream=bool(prompt.stream),
    )


def _joined(turns: Iterable[Turn]) -> list[Turn]:
    out: list[Turn] = []
    for turn in turns:
        parts = tuple(_part(part) for part in turn.parts)
        if not parts and turn.role == "assistant":
            continue
        if out and out[-1].role == turn.role != "other":
            parts = (*out.pop().parts, *parts)
        out.append(Turn(role=turn.role, parts=tuple(part for part in parts if _says(part)) or parts))
    return out


def _says(part: Part) -> bool:
    return not (isinstance(part, Text) and not part.text)


def _part(part: Part) -> Part:
    match part:
        case Refusal():
            return Text(text=part.text)
        case Image(detail="auto"):
            return msgspec.structs.replace(_bare(part), detail=None)
        case ToolCall():
            return ToolCall(id=part.id, name=part.name, arguments=_sorted(part))
        case ToolResult():
            parts = tuple(_part(inner) for inner in part.parts if _says(inner))
            return ToolResult(call_id=part.call_id, parts=parts, is_error=part.is_error or None)
    return _bare(part)


def _sorted(call: ToolCall) -> Mapping[str, Any] | str:
    try:
        value = arguments_of(call)
    except ValueError:
        return call.arguments
    return value if isinstance(value, dict) else call.arguments


def _tool(tool: Any) -> Any:
    tool = _bare(tool)
    if hasattr(tool, "strict"):
        tool = msgspec.structs.replace(tool, strict=tool.strict or None, schema=tool.schema or _NO_ARGUMENTS)
    return tool


_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


N = TypeVar("N", bound=Node)


def _bare(node: N) -> N:
    return msgspec.structs.replace(node, at="", extra={}, spelled=())
