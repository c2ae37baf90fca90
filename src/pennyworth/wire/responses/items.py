"""OpenAI Responses: items as turns and back; the same in ``input`` and in ``output``. Each item is a turn of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from pennyworth.wire.data_url import data_url, parts_of_data_url
from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.meaning import arguments_text
from pennyworth.wire.neutral.nouns import (
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

MAKER = "openai-responses-v1"
_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def turn_of(item: Any, at: str) -> Turn:
    kind = item.get("type", "message") if item.__class__ is dict else None
    read = _READERS.get(kind) if kind.__class__ is str else None
    turn: Turn | None = read(dict(item), at) if read else None
    if turn is None:
        kind = kind if isinstance(kind, str) else "input"
        return Turn(role="other", parts=(Opaque(value=item, kind=kind, at=at),), at=at)
    return turn


def items_of(turn: Turn) -> list[Any]:
    """The items that say a turn: one message for what is shown in a row, one for each call, result and thought."""
    if turn.role == "other":
        return [part.value for part in turn.parts if isinstance(part, Opaque)]
    if not turn.parts:
        return [_message(turn, ())]
    out: list[Any] = []
    for kind, parts in groupby(turn.parts, _kind):
        match kind:
            case "message":
                out.append(_message(turn, tuple(parts)))
            case "reasoning":
                out.extend(_reasoning_items(parts))
            case _:
                out.extend([_call(part) if isinstance(part, ToolCall) else _result(part) for part in parts])
    return out


def parts_of(rest: dict[str, Any], name: str, at: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    said = taken(rest, name, str, list)
    if said.__class__ is str:
        return (Text(text=said, at=at),), ()
    if said is None:
        return (), ("absent",)
    return tuple([_part_of(part, f"{at}[{i}]") for i, part in enumerate(said)]), ("list",)


def content_of(parts: Sequence[Part], as_list: bool, text: str) -> str | list[Any]:
    """``text``: the type of a text there, ``input_text`` or ``output_text``."""
    if not as_list and len(parts) == 1 and parts[0].__class__ is Text and not parts[0].extra:
        return parts[0].text
    return [_part_in(part, text) for part in parts]


def _kind(part: Part) -> str:
    match part:
        case ToolCall() | ToolResult():
            return "call"
        case Thinking():
            return "reasoning"
    return "message"


def _message_of(rest: dict[str, Any], at: str) -> Turn | None:
    role = taken(rest, "role", str)
    if role is None or role not in _ROLES:
        return None
    parts, spelled = parts_of(rest, "content", f"{at}.content")
    typed = ("typed",) if rest.pop("type", None) else ()
    developer = ("developer",) if role == "developer" else ()
    return Turn(role=_ROLES[role], parts=parts, at=at, extra=rest, spelled=(*spelled, *typed, *developer))


def _message(turn: Turn, parts: Sequence[Part]) -> dict[str, Any]:
    out: dict[str, Any] = {"role": "developer" if "developer" in turn.spelled else turn.role}
    if "typed" in turn.spelled:
        out["type"] = "message"
    if parts or "absent" not in turn.spelled:
        kind = "output_text" if turn.role == "assistant" else "input_text"
        out["content"] = content_of(parts, "list" in turn.spelled, kind)
    return with_extra(out, turn.extra)


def _call_of(rest: dict[str, Any], at: str) -> Turn | None:
    id_, name, arguments = taken(rest, "call_id", str), taken(rest, "name", str), taken(rest, "arguments", str)
    del rest["type"]
    if id_ is None or name is None or arguments is None:
        return None
    call = ToolCall(id=id_, name=name, arguments=arguments, at=at, extra=rest)
    return Turn(role="assistant", parts=(call,), at=at)


def _call(call: ToolCall) -> dict[str, Any]:
    out = {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments_text(call)}
    return with_extra(out, call.extra)


def _result_of(rest: dict[str, Any], at: str) -> Turn | None:
    call_id = taken(rest, "call_id", str)
    if call_id is None or rest.get("output").__class__ not in (str, list):
        return None
    del rest["type"]
    parts, spelled = parts_of(rest, "output", f"{at}.output")
    result = ToolResult(call_id=call_id, parts=parts, at=at, extra=rest, spelled=spelled)
    return Turn(role="user", parts=(result,), at=at)


def _result(part: Part) -> Any:
    if not isinstance(part, ToolResult):
        return None
    said = content_of(part.parts, "list" in part.spelled, "input_text") if part.parts or part.spelled else ""
    return with_extra({"type": "function_call_output", "call_id": part.call_id, "output": said}, part.extra)


def _thoughts_of(rest: dict[str, Any], at: str) -> Turn | None:
    """One item of thoughts: its summary, its text and its seal. What tells it from others stands on the first."""
    del rest["type"]
    id_, summary, content = taken(rest, "id", str), taken(rest, "summary", list), taken(rest, "content", list)
    texts = [_text_in(part, "summary_text") for part in summary or ()]
    longer = [_text_in(part, "reasoning_text") for part in content or ()]
    if id_ is None or summary is None or None in texts or None in longer:
        return None
    sealed = taken(rest, "encrypted_content", str)
    thoughts = [Thinking(text=text or "", maker=MAKER, id=id_, at=at, spelled=("summary",)) for text in texts]
    thoughts += [Thinking(text=text or "", maker=MAKER, id=id_, at=at) for text in longer]
    if sealed is not None:
        thoughts.append(Thinking(sealed=sealed, maker=MAKER, id=id_, at=at))
    if not thoughts:  # a bare item says nothing to anybody
        thoughts.append(Thinking(maker=MAKER, id=id_, at=at, spelled=("empty",)))
    how = (*thoughts[0].spelled, "with content") if content is not None else thoughts[0].spelled
    thoughts[0] = msgspec.structs.replace(thoughts[0], extra=rest, spelled=how)
    return Turn(role="assistant", parts=tuple(thoughts), at=at)


def _reasoning_items(thoughts: Iterable[Part]) -> list[dict[str, Any]]:
    return [
        _reasoning([thought for thought in same if isinstance(thought, Thinking)])
        for _, same in groupby(thoughts, lambda thought: getattr(thought, "id", None))
    ]


def _reasoning(thoughts: Sequence[Thinking]) -> dict[str, Any]:
    shown = [thought for thought in thoughts if thought.sealed is None and "empty" not in thought.spelled]
    out: dict[str, Any] = {"type": "reasoning", "id": thoughts[0].id or "rs_0"}
    out["summary"] = [{"type": "summary_text", "text": one.text} for one in shown if "summary" in one.spelled]
    longer = [{"type": "reasoning_text", "text": one.text} for one in shown if "summary" not in one.spelled]
    if longer or "with content" in thoughts[0].spelled:
        out["content"] = longer
    put(out, [("encrypted_content", thought.sealed) for thought in thoughts])
    return with_extra(out, thoughts[0].extra)


def _text_in(part: Any, kind: str) -> str | None:
    match part:
        case {"type": str(said), "text": str(text), **others} if said == kind and not others:
            return text
    return None


_READERS: Mapping[str, Any] = {
    "message": _message_of,
    "function_call": _call_of,
    "function_call_output": _result_of,
    "reasoning": _thoughts_of,
}


def _part_of(part: Any, at: str) -> Part:
    kind = part.get("type") if part.__class__ is dict else None
    rest = dict(part) if kind.__class__ is str else {}
    rest.pop("type", None)
    match kind:
        case "input_text" | "output_text" if (text := taken(rest, "text", str)) is not None:
            return Text(text=text, at=at, extra=rest, spelled=(kind,))
        case "refusal" if (text := taken(rest, "refusal", str)) is not None:
            return Refusal(text=text, at=at, extra=rest)
        case "input_image" if url := taken(rest, "image_url", str):
            return _image_of(rest, url, at)
        case "input_file":
            return _file_of(rest, at) or Opaque(value=part, kind=kind, at=at)
    return Opaque(value=part, kind=kind if isinstance(kind, str) else "content", at=at)


def _image_of(rest: dict[str, Any], url: str, at: str) -> Image:
    found = parts_of_data_url(url)
    media_type, data = found or ("", "")
    detail = taken(rest, "detail", str)
    return Image(url="" if found else url, media_type=media_type, data=data, detail=detail, at=at, extra=rest)


def _file_of(rest: dict[str, Any], at: str) -> Document | None:
    data, url, name = taken(rest, "file_data", str), taken(rest, "file_url", str), taken(rest, "filename", str)
    found = parts_of_data_url(data) if data else None
    if (found is None) is (url is None) or (data is not None and found is None):
        return None
    media_type, text = found or ("", "")
    return Document(url=url or "", media_type=media_type, data=text, name=name, at=at, extra=rest)


def _part_in(part: Part, text: str) -> Any:
    match part:
        case Text():
            kind = next((word for word in part.spelled if word.endswith("_text")), text)
            out: dict[str, Any] = {"type": kind, "text": part.text}
        case Refusal():
            out = {"type": "refusal", "refusal": part.text}
        case Image():
            out = {"type": "input_image", "image_url": part.url or data_url(part.media_type, part.data)}
            put(out, (("detail", part.detail),))
        case Document(url=""):
            out = {"type": "input_file", "file_data": data_url(part.media_type, part.data)}
        case Document():
            out = {"type": "input_file", "file_url": part.url}
        case _:
            return part.value if isinstance(part, Opaque) else None
    if isinstance(part, Document) and part.name is not None:
        out["filename"] = part.name
    return with_extra(out, part.extra)
