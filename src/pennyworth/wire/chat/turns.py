"""Chat completions: a message as a turn and back; the same in requests and in replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.chat.parts import content_of, parts_of
from pennyworth.wire.chat.thoughts import add_thoughts, thoughts_of
from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.meaning import arguments_text
from pennyworth.wire.neutral.nouns import Opaque, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult, Turn

_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def turn_of(message: Any, at: str) -> Turn:
    """The message as a turn; one of an unknown role is opaque."""
    role = message.get("role") if message.__class__ is dict else None
    if role.__class__ is not str:
        return _opaque(message, "role", at)
    rest = dict(message)
    del rest["role"]
    if role == "user" or role == "system":
        parts, spelled = parts_of(rest, at)
        return Turn(role=_ROLES[role], parts=parts, at=at, extra=rest, spelled=spelled)
    if role == "tool":
        return _result_of(rest, at) or _opaque(message, role, at)
    if role not in _ROLES:
        return _opaque(message, role, at)
    parts, spelled = parts_of(rest, at)
    if role == "developer":
        return Turn(role="system", parts=parts, at=at, extra=rest, spelled=(*spelled, role))
    return _spoken(rest, at, parts, spelled)


def messages_of(turn: Turn) -> list[Any]:
    """The messages that say a turn: one for each tool result in it, and one for the rest."""
    if turn.role == "other":
        return [part.value for part in turn.parts if isinstance(part, Opaque)]
    if turn.role != "user" or not any(part.__class__ is ToolResult for part in turn.parts):
        return [message_of(turn)]
    said = [_message_of_result(part) for part in turn.parts if isinstance(part, ToolResult)]
    others = tuple([part for part in turn.parts if not isinstance(part, ToolResult)])
    return [*said, message_of(Turn(role="user", parts=others))] if others else said


def message_of(turn: Turn) -> dict[str, Any]:
    """One message with everything in it."""
    if turn.role == "assistant":
        return _assistant(turn)
    out: dict[str, Any] = {"role": "developer" if "developer" in turn.spelled else turn.role}
    said = content_of(turn.parts, turn.spelled)
    if said is not None:
        out["content"] = said
    return with_extra(out, turn.extra) if turn.extra else out


def _opaque(message: Any, kind: str, at: str) -> Turn:
    return Turn(role="other", parts=(Opaque(value=message, kind=kind, at=at),), at=at)


def _result_of(rest: dict[str, Any], at: str) -> Turn | None:
    call_id = taken(rest, "tool_call_id", str)
    if call_id is None:
        return None
    name = taken(rest, "name", str)
    parts, spelled = parts_of(rest, at)
    result = ToolResult(call_id=call_id, parts=parts, name=name, at=at, extra=rest, spelled=spelled)
    return Turn(role="user", parts=(result,), at=at)


def _message_of_result(result: ToolResult) -> dict[str, Any]:
    out: dict[str, Any] = {"role": "tool", "tool_call_id": result.call_id}
    said = content_of(result.parts, result.spelled)
    if said is None and "no content" not in result.spelled:
        said = ""  # a result must have some
    put(out, (("content", said), ("name", result.name)))
    return with_extra(out, result.extra)


def _spoken(rest: dict[str, Any], at: str, said: tuple[Part, ...], spelled: tuple[str, ...]) -> Turn:
    """An assistant's message, in the order in which its parts are spoken."""
    if "content" in rest and rest["content"] is None:
        del rest["content"]  # as is usual beside tool calls
    thoughts, names = thoughts_of(rest, at)
    refusal = taken(rest, "refusal", str) if rest.get("refusal") else None
    refused = (Refusal(text=refusal, at=f"{at}.refusal"),) if refusal else ()
    calls = taken(rest, "tool_calls", list) if rest.get("tool_calls") else ()
    called = [_call_of(call, f"{at}.tool_calls[{i}]") for i, call in enumerate(calls or ())]
    parts = (*thoughts, *said, *refused, *called)
    return Turn(role="assistant", parts=parts, at=at, extra=rest, spelled=(*spelled, *names))


def _assistant(turn: Turn) -> dict[str, Any]:
    out: dict[str, Any] = {"role": "assistant"}
    shown = [part for part in turn.parts if not _beside(part)]
    said = content_of(shown, turn.spelled)
    if said is not None or "no content" not in turn.spelled:
        out["content"] = said
    thoughts = [part for part in turn.parts if isinstance(part, Thinking)]
    if thoughts:
        add_thoughts(out, thoughts, turn.spelled)
    refused = [part.text for part in turn.parts if isinstance(part, Refusal) and "in content" not in part.spelled]
    if refused:
        out["refusal"] = "".join(refused)
    calls = [_call_in(part) for part in turn.parts if _is_call(part)]
    if calls:
        out["tool_calls"] = calls
    return with_extra(out, turn.extra) if turn.extra else out


def _beside(part: Part) -> bool:
    """In a member of its own, not in ``content``."""
    if part.__class__ is Text:
        return False
    refused = isinstance(part, Refusal) and "in content" not in part.spelled
    return refused or isinstance(part, Thinking) or _is_call(part)


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCall) or (isinstance(part, Opaque) and "call" in part.spelled)


def _call_of(call: Any, at: str) -> Part:
    rest = dict(call) if call.__class__ is dict else {}
    kind, function = rest.pop("type", None), rest.pop("function", None)
    left = dict(function) if function.__class__ is dict else {}
    id_, name, arguments = taken(rest, "id", str), taken(left, "name", str), taken(left, "arguments", str)
    if kind not in ("function", None) or id_ is None or name is None or arguments is None:
        return Opaque(value=call, kind=kind if isinstance(kind, str) else "tool_calls", at=at, spelled=("call",))
    extra = {**rest, "function": left} if left else rest
    spelled = () if "type" in call else ("no type",)
    if kind is None and not spelled:
        extra["type"] = None
    return ToolCall(id=id_, name=name, arguments=arguments, at=at, extra=extra, spelled=spelled)


def _call_in(part: Part) -> Any:
    if not isinstance(part, ToolCall):
        return part.value if isinstance(part, Opaque) else None
    out: dict[str, Any] = {"id": part.id}
    if "no type" not in part.spelled:
        out["type"] = "function"
    out["function"] = {"name": part.name, "arguments": arguments_text(part)}
    return with_extra(out, part.extra) if part.extra else out
