"""Chat completions: the fields of a request beside its messages, as a prompt and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.chat.turns import messages_of, turn_of
from pennyworth.wire.members import NUMBER, put, taken, with_extra
from pennyworth.wire.neutral.nouns import Choice, Opaque, Prompt, Shape, Tool

CAPS = ("max_completion_tokens", "max_tokens")
_MODES = ("auto", "none", "required")
_KINDS: Mapping[str, Any] = {"text": "text", "json_object": "json"}


def prompt_of(fields: Mapping[str, Any]) -> Prompt:
    rest = dict(fields)
    spelled: list[str] = []
    messages = taken(rest, "messages", list)
    if messages is None:
        spelled.append("no messages")
    tools = taken(rest, "tools", list)
    return Prompt(
        dialect="chat",
        model=taken(rest, "model", str),
        turns=tuple([turn_of(message, f"messages[{i}]") for i, message in enumerate(messages or ())]),
        tools=None if tools is None else tuple([_tool_of(tool, f"tools[{i}]") for i, tool in enumerate(tools)]),
        choice=_choice_of(rest) if "tool_choice" in rest else None,
        parallel=taken(rest, "parallel_tool_calls", bool),
        shape=_shape_of(rest) if "response_format" in rest else None,
        temperature=taken(rest, "temperature", *NUMBER),
        top_p=taken(rest, "top_p", *NUMBER),
        cap=_cap_of(rest, spelled),
        stop=_stop_of(rest, spelled) if "stop" in rest else None,
        effort=taken(rest, "reasoning_effort", str),
        verbosity=taken(rest, "verbosity", str),
        user=taken(rest, "user", str),
        stream=taken(rest, "stream", bool),
        extra=rest,
        spelled=tuple(spelled),
    )


def fields_of(prompt: Prompt) -> dict[str, Any]:
    out: dict[str, Any] = {} if prompt.model is None else {"model": prompt.model}
    if "no messages" not in prompt.spelled:
        out["messages"] = [message for turn in prompt.turns for message in messages_of(turn)]
    put(
        out,
        (
            ("tools", None if prompt.tools is None else [_tool_in(tool) for tool in prompt.tools]),
            ("tool_choice", prompt.choice and _choice_in(prompt.choice)),
            ("parallel_tool_calls", prompt.parallel),
            ("response_format", prompt.shape and _shape_in(prompt.shape)),
            ("temperature", prompt.temperature),
            ("top_p", prompt.top_p),
            (CAPS["max_tokens" in prompt.spelled], prompt.cap),
            ("stop", _stop_in(prompt)),
            ("reasoning_effort", prompt.effort),
            ("verbosity", prompt.verbosity),
            ("user", prompt.user),
            ("stream", prompt.stream),
        ),
    )
    return with_extra(out, prompt.extra) if prompt.extra else out


def _cap_of(rest: dict[str, Any], spelled: list[str]) -> int | None:
    """Said under both names, it is the newer one that counts; the other stays."""
    for name in CAPS:
        cap: int | None = taken(rest, name, int)
        if cap is not None:
            spelled.append(name)
            return cap
    return None


def _stop_of(rest: dict[str, Any], spelled: list[str]) -> tuple[str, ...] | None:
    stop = rest["stop"]
    if stop.__class__ is str:
        spelled.append("one stop")
        stop = [stop]
    elif stop.__class__ is not list or any(word.__class__ is not str for word in stop):
        return None
    del rest["stop"]
    return tuple(stop)


def _stop_in(prompt: Prompt) -> str | list[str] | None:
    if prompt.stop is None:
        return None
    return prompt.stop[0] if "one stop" in prompt.spelled else list(prompt.stop)


def _choice_of(rest: dict[str, Any]) -> Choice | None:
    match rest["tool_choice"]:
        case str(mode) if mode in _MODES:
            del rest["tool_choice"]
            return Choice(mode=mode, at="tool_choice")  # type: ignore[arg-type]
        case "any":  # Mistral's
            del rest["tool_choice"]
            return Choice(mode="required", at="tool_choice", spelled=("any",))
        case {"type": "function", "function": {"name": str(name), **others}, **beside} if not others and not beside:
            del rest["tool_choice"]
            return Choice(mode="named", name=name, at="tool_choice")
    return None


def _choice_in(choice: Choice) -> Any:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return "any" if "any" in choice.spelled else choice.mode


def _shape_of(rest: dict[str, Any]) -> Shape | None:
    said = rest["response_format"]
    kind = said.get("type") if said.__class__ is dict else None
    if kind.__class__ is not str:
        return None
    left = {name: value for name, value in said.items() if name != "type"}
    if kind in _KINDS:
        del rest["response_format"]
        return Shape(kind=_KINDS[kind], at="response_format", extra=left)
    inner = left.pop("json_schema", None)
    if kind != "json_schema" or inner.__class__ is not dict or inner.get("schema").__class__ is not dict:
        return None
    del rest["response_format"]
    inner = dict(inner)
    return Shape(
        kind="schema",
        schema=inner.pop("schema"),
        name=taken(inner, "name", str),
        strict=taken(inner, "strict", bool),
        description=taken(inner, "description", str),
        at="response_format",
        extra={**left, "json_schema": inner} if inner else left,
    )


def _shape_in(shape: Shape) -> dict[str, Any]:
    if shape.kind != "schema":
        return with_extra({"type": "json_object" if shape.kind == "json" else "text"}, shape.extra)
    named = (("name", shape.name), ("description", shape.description), ("strict", shape.strict))
    return with_extra({"type": "json_schema", "json_schema": put({"schema": shape.schema}, named)}, shape.extra)


def _tool_of(tool: Any, at: str) -> Tool | Opaque:
    rest = dict(tool) if tool.__class__ is dict else {}
    kind, function = rest.pop("type", "function"), rest.pop("function", None)
    left = dict(function) if function.__class__ is dict else {}
    name = taken(left, "name", str)
    if kind != "function" or name is None:
        return Opaque(value=tool, kind=kind if isinstance(kind, str) else "tools", at=at)
    description = taken(left, "description", str)
    schema = taken(left, "parameters", dict)
    strict = taken(left, "strict", bool)
    extra = {**rest, "function": left} if left else rest
    spelled = () if "type" in tool else ("no type",)
    return Tool(name=name, description=description, schema=schema, strict=strict, at=at, extra=extra, spelled=spelled)


def _tool_in(tool: Tool | Opaque) -> Any:
    if isinstance(tool, Opaque):
        return tool.value
    said = (("description", tool.description), ("parameters", tool.schema), ("strict", tool.strict))
    out: dict[str, Any] = {} if "no type" in tool.spelled else {"type": "function"}
    out["function"] = put({"name": tool.name}, said)
    return with_extra(out, tool.extra) if tool.extra else out
