"""Anthropic messages: content blocks as parts and back; the same in requests and in replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.meaning import arguments_of
from pennyworth.wire.neutral.nouns import (
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

MAKER = "anthropic-claude-v1"


def parts_of(rest: dict[str, Any], name: str, at: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts in ``content`` (or ``system``), taken out of ``rest``, and how they were put."""
    said = taken(rest, name, str, list)
    if said.__class__ is str:
        return (Text(text=said, at=at),), ()
    if said is None:
        return (), ("silent",)
    return tuple([part_of(block, f"{at}[{i}]") for i, block in enumerate(said)]), ("list",)


def content_of(parts: Sequence[Part], as_list: bool) -> str | list[Any]:
    """``content`` that says these parts: one text alone is a string."""
    if not as_list and len(parts) == 1 and parts[0].__class__ is Text and not parts[0].extra:
        return parts[0].text
    return [block_of(part) for part in parts]


def part_of(block: Any, at: str) -> Part:
    kind = block.get("type") if block.__class__ is dict else None
    rest = dict(block) if kind.__class__ is str else {}
    read = _READERS.get(kind) if kind.__class__ is str else None
    part = read(rest, at) if read else None
    return Opaque(value=block, kind=kind if isinstance(kind, str) else "content", at=at) if part is None else part


def block_of(part: Part) -> Any:
    match part:
        case Text() | Refusal():
            out: dict[str, Any] = {"type": "text", "text": part.text}
        case ToolCall():
            out = {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments_of(part)}
        case ToolResult():
            out = {"type": "tool_result", "tool_use_id": part.call_id}
            if part.parts or "silent" not in part.spelled:
                out["content"] = content_of(part.parts, "list" in part.spelled)
            put(out, (("is_error", part.is_error),))
        case Thinking(sealed=None):
            out = put({"type": "thinking", "thinking": part.text}, (("signature", part.signature),))
        case Thinking():
            out = {"type": "redacted_thinking", "data": part.sealed}
        case Image():
            out = {"type": "image", "source": _source(part)}
        case Document():
            out = put({"type": "document", "source": _source(part)}, (("title", part.name),))
        case Opaque():
            return part.value
    return with_extra(out, part.extra) if part.extra else out


def _text(rest: dict[str, Any], at: str) -> Part | None:
    text = taken(rest, "text", str)
    del rest["type"]
    return None if text is None else Text(text=text, at=at, extra=rest)


def _tool_use(rest: dict[str, Any], at: str) -> Part | None:
    id_, name, arguments = taken(rest, "id", str), taken(rest, "name", str), taken(rest, "input", dict)
    del rest["type"]
    if id_ is None or name is None or arguments is None:
        return None
    return ToolCall(id=id_, name=name, arguments=arguments, at=at, extra=rest)


def _tool_result(rest: dict[str, Any], at: str) -> Part | None:
    call_id, is_error = taken(rest, "tool_use_id", str), taken(rest, "is_error", bool)
    del rest["type"]
    if call_id is None:
        return None
    parts, spelled = parts_of(rest, "content", f"{at}.content")
    return ToolResult(call_id=call_id, parts=parts, is_error=is_error, at=at, extra=rest, spelled=spelled)


def _thinking(rest: dict[str, Any], at: str) -> Part | None:
    text, signature = taken(rest, "thinking", str), taken(rest, "signature", str)
    del rest["type"]
    return None if text is None else Thinking(text=text, signature=signature, maker=MAKER, at=at, extra=rest)


def _redacted(rest: dict[str, Any], at: str) -> Part | None:
    sealed = taken(rest, "data", str)
    del rest["type"]
    return None if sealed is None else Thinking(sealed=sealed, maker=MAKER, at=at, extra=rest)


def _image(rest: dict[str, Any], at: str) -> Part | None:
    found = _source_of(rest)
    del rest["type"]
    return None if found is None else Image(url=found[0], media_type=found[1], data=found[2], at=at, extra=rest)


def _document(rest: dict[str, Any], at: str) -> Part | None:
    found, name = _source_of(rest), taken(rest, "title", str)
    del rest["type"]
    if found is None:
        return None
    return Document(url=found[0], media_type=found[1], data=found[2], name=name, at=at, extra=rest)


_READERS: Mapping[str, Any] = {
    "text": _text,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "image": _image,
    "document": _document,
}


def _source_of(rest: dict[str, Any]) -> tuple[str, str, str] | None:
    """URL, media type and base64 text of a source, taken out of ``rest``; ``None`` for any other kind."""
    match rest.get("source"):
        case {"type": "base64", "media_type": str(media_type), "data": str(data), **others} if not others:
            del rest["source"]
            return "", media_type, data
        case {"type": "url", "url": str(url), **others} if url and not others:
            del rest["source"]
            return url, "", ""
    return None


def _source(part: Image | Document) -> dict[str, str]:
    if part.url:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}
