"""OpenAI Responses: the fields of a request as a prompt and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.members import NUMBER, put, taken, with_extra
from pennyworth.wire.neutral.nouns import Choice, Opaque, Prompt, Shape, Text, Tool, Turn
from pennyworth.wire.responses.items import items_of, turn_of

_MODES = ("auto", "none", "required")
_KINDS: Mapping[str, Any] = {"text": "text", "json_object": "json"}


def prompt_of(fields: Mapping[str, Any]) -> Prompt:
    rest = dict(fields)
    spelled: list[str] = []
    tools = taken(rest, "tools", list)
    turns = _turns_of(rest, spelled)
    return Prompt(
        dialect="responses",
        model=taken(rest, "model", str),
        turns=turns,
        tools=None if tools is None else tuple([_tool_of(tool, f"tools[{i}]") for i, tool in enumerate(tools)]),
        choice=_choice_of(rest) if "tool_choice" in rest else None,
        parallel=taken(rest, "parallel_tool_calls", bool),
        shape=_shape_of(rest) if "text" in rest else None,
        temperature=taken(rest, "temperature", *NUMBER),
        top_p=taken(rest, "top_p", *NUMBER),
        cap=taken(rest, "max_output_tokens", int),
        effort=_inside(rest, "reasoning", "effort"),
        verbosity=_inside(rest, "text", "verbosity"),
        user=taken(rest, "user", str),
        stream=taken(rest, "stream", bool),
        extra=rest,
        spelled=tuple(spelled),
    )


def fields_of(prompt: Prompt) -> dict[str, Any]:
    out: dict[str, Any] = {} if prompt.model is None else {"model": prompt.model}
    turns = list(prompt.turns)
    if turns and "instructions" in turns[0].spelled:
        out["instructions"] = _text_of(turns.pop(0))
    if "one text" in prompt.spelled:
        out["input"] = _text_of(turns[0])
    elif "no input" not in prompt.spelled:
        out["input"] = [item for turn in turns for item in items_of(turn)]
    put(
        out,
        (
            ("tools", None if prompt.tools is None else [_tool_in(tool) for tool in prompt.tools]),
            ("tool_choice", prompt.choice and _choice_in(prompt.choice)),
            ("parallel_tool_calls", prompt.parallel),
            ("text", _text_in(prompt)),
            ("temperature", prompt.temperature),
            ("top_p", prompt.top_p),
            ("max_output_tokens", prompt.cap),
            ("reasoning", None if prompt.effort is None else {"effort": prompt.effort}),
            ("user", prompt.user),
            ("stream", prompt.stream),
        ),
    )
    return with_extra(out, prompt.extra) if prompt.extra else out


def _turns_of(rest: dict[str, Any], spelled: list[str]) -> tuple[Turn, ...]:
    turns = []
    instructions = taken(rest, "instructions", str)
    if instructions is not None:
        text = Text(text=instructions, at="instructions")
        turns.append(Turn(role="system", parts=(text,), at="instructions", spelled=("instructions",)))
    asked = taken(rest, "input", str, list)
    if asked.__class__ is str:
        spelled.append("one text")
        turns.append(Turn(role="user", parts=(Text(text=asked, at="input"),), at="input"))
    elif asked is None:
        spelled.append("no input")
    else:
        turns.extend([turn_of(item, f"input[{i}]") for i, item in enumerate(asked)])
    return tuple(turns)


def _text_of(turn: Turn) -> str:
    return "".join([part.text for part in turn.parts if isinstance(part, Text)])


def _choice_of(rest: dict[str, Any]) -> Choice | None:
    match rest["tool_choice"]:
        case str(mode) if mode in _MODES:
            del rest["tool_choice"]
            return Choice(mode=mode, at="tool_choice")  # type: ignore[arg-type]
        case {"type": "function", "name": str(name), **others} if not others:
            del rest["tool_choice"]
            return Choice(mode="named", name=name, at="tool_choice")
    return None


def _choice_in(choice: Choice) -> Any:
    return {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode


def _shape_of(rest: dict[str, Any]) -> Shape | None:
    outer = rest["text"]
    said = outer.get("format") if outer.__class__ is dict else None
    kind = said.get("type") if said.__class__ is dict else None
    if said is None or kind.__class__ is not str:
        return None
    if kind not in _KINDS and not (kind == "json_schema" and said.get("schema").__class__ is dict):
        return None
    left = {name: value for name, value in outer.items() if name != "format"}
    if left:
        rest["text"] = left
    else:
        del rest["text"]
    inner = {name: value for name, value in said.items() if name != "type"}
    schema = inner.pop("schema") if kind == "json_schema" else None
    return Shape(
        kind=_KINDS.get(kind, "schema"),
        schema=schema,
        name=taken(inner, "name", str),
        strict=taken(inner, "strict", bool),
        description=taken(inner, "description", str),
        at="text.format",
        extra=inner,
    )


def _shape_in(shape: Shape) -> dict[str, Any]:
    kind = {"text": "text", "json": "json_object", "schema": "json_schema"}[shape.kind]
    said = (
        ("schema", shape.schema),
        ("name", shape.name),
        ("description", shape.description),
        ("strict", shape.strict),
    )
    return with_extra(put({"type": kind}, said), shape.extra)


def _inside(rest: dict[str, Any], outer: str, name: str) -> str | None:
    """A member of a member, taken out; of the outer one there stays what else it holds."""
    value = rest.get(outer)
    if value.__class__ is not dict or value.get(name).__class__ is not str:
        return None
    left = {key: inner for key, inner in value.items() if key != name}
    if left:
        rest[outer] = left
    else:
        del rest[outer]
    return str(value[name])


def _text_in(prompt: Prompt) -> dict[str, Any] | None:
    said = (("format", prompt.shape and _shape_in(prompt.shape)), ("verbosity", prompt.verbosity))
    return put({}, said) or None


def _tool_of(tool: Any, at: str) -> Tool | Opaque:
    rest = dict(tool) if tool.__class__ is dict else {}
    kind = rest.pop("type", None)
    name = taken(rest, "name", str)
    if kind != "function" or name is None:
        return Opaque(value=tool, kind=kind if isinstance(kind, str) else "tools", at=at)
    description, schema, strict = (
        taken(rest, "description", str),
        taken(rest, "parameters", dict),
        taken(rest, "strict", bool),
    )
    return Tool(name=name, description=description, schema=schema, strict=strict, at=at, extra=rest)


def _tool_in(tool: Tool | Opaque) -> Any:
    if isinstance(tool, Opaque):
        return tool.value
    said = (("description", tool.description), ("parameters", tool.schema), ("strict", tool.strict))
    return with_extra(put({"type": "function", "name": tool.name}, said), tool.extra)
