"""Anthropic messages: the fields of a request as a prompt and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.wire.members import NUMBER, put, taken, with_extra
from pennyworth.wire.messages.blocks import content_of, parts_of
from pennyworth.wire.neutral.nouns import Choice, Opaque, Prompt, Shape, Tool, Turn

_ROLES = ("user", "assistant", "system")
_MODES = {"auto": "auto", "none": "none", "any": "required", "tool": "named"}
_WORDS = {mode: word for word, mode in _MODES.items()}
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


def prompt_of(fields: Mapping[str, Any]) -> Prompt:
    rest = dict(fields)
    spelled: list[str] = []
    turns = []
    if rest.get("system").__class__ in (str, list):
        parts, how = parts_of(rest, "system", "system")
        turns.append(Turn(role="system", parts=parts, at="system", spelled=(*how, "field")))
    messages = taken(rest, "messages", list)
    if messages is None:
        spelled.append("no messages")
    turns.extend([_turn_of(message, f"messages[{i}]") for i, message in enumerate(messages or ())])
    tools = taken(rest, "tools", list)
    choice, parallel = _choice_of(rest) if "tool_choice" in rest else (None, None)
    stop = rest.get("stop_sequences")
    if stop.__class__ is list and all(word.__class__ is str for word in stop):
        del rest["stop_sequences"]
    else:
        stop = None
    return Prompt(
        dialect="messages",
        model=taken(rest, "model", str),
        turns=tuple(turns),
        tools=None if tools is None else tuple([_tool_of(tool, f"tools[{i}]") for i, tool in enumerate(tools)]),
        choice=choice,
        parallel=parallel,
        shape=_shape_of(rest, spelled),
        temperature=taken(rest, "temperature", *NUMBER),
        top_p=taken(rest, "top_p", *NUMBER),
        cap=taken(rest, "max_tokens", int),
        stop=None if stop is None else tuple(stop),
        effort=_effort_of(rest, spelled),
        user=_user_of(rest),
        stream=taken(rest, "stream", bool),
        extra=rest,
        spelled=tuple(spelled),
    )


def fields_of(prompt: Prompt) -> dict[str, Any]:
    out: dict[str, Any] = {} if prompt.model is None else {"model": prompt.model}
    leading = _leading(prompt.turns)
    system = [turn for turn in prompt.turns[:leading] if turn.parts or "list" in turn.spelled]
    if system:
        parts = [part for turn in system for part in turn.parts]
        out["system"] = content_of(parts, "list" in system[0].spelled)
    if "no messages" not in prompt.spelled:
        out["messages"] = [_message_of(turn) for turn in prompt.turns[leading:]]
    put(
        out,
        (
            ("max_tokens", prompt.cap),
            ("tools", None if prompt.tools is None else [_tool_in(tool) for tool in prompt.tools]),
            ("tool_choice", _choice_in(prompt)),
            ("temperature", prompt.temperature),
            ("top_p", prompt.top_p),
            ("stop_sequences", None if prompt.stop is None else list(prompt.stop)),
            ("metadata", None if prompt.user is None else {"user_id": prompt.user}),
            ("stream", prompt.stream),
        ),
    )
    _add_output(out, prompt)
    return with_extra(out, prompt.extra) if prompt.extra else out


def _leading(turns: Sequence[Turn]) -> int:
    """How many turns go into ``system``: those at the front, and not those that stood in ``messages``."""
    for i, turn in enumerate(turns):
        if turn.role != "system" or "in messages" in turn.spelled:
            return i
    return len(turns)


def _turn_of(message: Any, at: str) -> Turn:
    role = message.get("role") if message.__class__ is dict else None
    if role.__class__ is not str or role not in _ROLES:
        kind = role if isinstance(role, str) else "role"
        return Turn(role="other", parts=(Opaque(value=message, kind=kind, at=at),), at=at)
    rest = dict(message)
    del rest["role"]
    parts, spelled = parts_of(rest, "content", f"{at}.content")
    if role == "system":
        spelled = (*spelled, "in messages")
    return Turn(role=role, parts=parts, at=at, extra=rest, spelled=spelled)  # type: ignore[arg-type]


def _message_of(turn: Turn) -> Any:
    if turn.role == "other":
        return turn.parts[0].value if isinstance(turn.parts[0], Opaque) else None
    out: dict[str, Any] = {"role": turn.role}
    if turn.parts or "silent" not in turn.spelled:
        out["content"] = content_of(turn.parts, "list" in turn.spelled)
    return with_extra(out, turn.extra) if turn.extra else out


def _choice_of(rest: dict[str, Any]) -> tuple[Choice | None, bool | None]:
    said = rest["tool_choice"]
    kind = said.get("type") if said.__class__ is dict else None
    if kind.__class__ is not str or kind not in _MODES:
        return None, None
    left = {name: value for name, value in said.items() if name != "type"}
    name = taken(left, "name", str)
    if (name is None) is (kind == "tool"):
        return None, None
    del rest["tool_choice"]
    alone = taken(left, "disable_parallel_tool_use", bool)
    choice = Choice(mode=_MODES[kind], name=name or "", at="tool_choice", extra=left)  # type: ignore[arg-type]
    return choice, None if alone is None else not alone


def _choice_in(prompt: Prompt) -> dict[str, Any] | None:
    """One tool at a time has to be said within a choice."""
    choice = prompt.choice
    if choice is None:
        return (
            {"type": "auto", "disable_parallel_tool_use": True} if prompt.parallel is False and prompt.tools else None
        )
    out: dict[str, Any] = {"type": _WORDS[choice.mode]}
    if choice.mode == "named":
        out["name"] = choice.name
    said = prompt.parallel is False and choice.mode != "none"
    if said or (prompt.parallel is not None and prompt.dialect == "messages"):
        out["disable_parallel_tool_use"] = not prompt.parallel
    return with_extra(out, choice.extra)


def _shape_of(rest: dict[str, Any], spelled: list[str]) -> Shape | None:
    """``output_config.format``, or ``output_format`` as the beta had it."""
    config = rest.get("output_config")
    inside = config.get("format") if config.__class__ is dict else None
    match rest.get("output_format") if inside is None else inside:
        case {"type": "json_schema", "schema": dict(schema), **others} if not others:
            if inside is None:
                del rest["output_format"]
                spelled.append("output_format")
            else:
                _without(rest, "output_config", "format")
            return Shape(kind="schema", schema=schema, at="output_config.format")
    return None


def _effort_of(rest: dict[str, Any], spelled: list[str]) -> str | None:
    """How much it thinks; that it thinks at all by the model's own judgement goes with it."""
    thinking = rest.get("thinking")
    config = rest.get("output_config")
    effort = config.get("effort") if config.__class__ is dict else None
    if effort.__class__ is str and effort != "none":
        _without(rest, "output_config", "effort")
        if thinking == {"type": "adaptive"}:
            del rest["thinking"]
        else:
            spelled.append("effort alone")
        return str(effort)
    if thinking == {"type": "disabled"}:
        del rest["thinking"]
        return "none"
    return None


def _add_output(out: dict[str, Any], prompt: Prompt) -> None:
    config: dict[str, Any] = {}
    if prompt.shape is not None and prompt.shape.kind == "schema":
        shape = {"type": "json_schema", "schema": prompt.shape.schema}
        (out if "output_format" in prompt.spelled else config)[
            "output_format" if "output_format" in prompt.spelled else "format"
        ] = shape
    if prompt.effort == "none":
        out["thinking"] = {"type": "disabled"}
    elif prompt.effort is not None:
        config["effort"] = prompt.effort
        if "effort alone" not in prompt.spelled:
            out["thinking"] = {"type": "adaptive"}
    if config:
        out["output_config"] = config


def _user_of(rest: dict[str, Any]) -> str | None:
    metadata = rest.get("metadata")
    user = metadata.get("user_id") if metadata.__class__ is dict else None
    if user.__class__ is not str:
        return None
    _without(rest, "metadata", "user_id")
    return str(user)


def _without(rest: dict[str, Any], outer: str, name: str) -> None:
    left = {key: value for key, value in rest[outer].items() if key != name}
    if left:
        rest[outer] = left
    else:
        del rest[outer]


def _tool_of(tool: Any, at: str) -> Tool | Opaque:
    rest = dict(tool) if tool.__class__ is dict else {}
    kind = rest.pop("type", "custom")
    name, schema = taken(rest, "name", str), taken(rest, "input_schema", dict)
    if kind != "custom" or name is None or schema is None:
        return Opaque(value=tool, kind=kind if isinstance(kind, str) else "tools", at=at)
    description, strict = taken(rest, "description", str), taken(rest, "strict", bool)
    spelled = ("custom",) if "type" in tool else ()
    return Tool(name=name, description=description, schema=schema, strict=strict, at=at, extra=rest, spelled=spelled)


def _tool_in(tool: Tool | Opaque) -> Any:
    if isinstance(tool, Opaque):
        return tool.value
    out: dict[str, Any] = {"name": tool.name, "input_schema": NO_ARGUMENTS if tool.schema is None else tool.schema}
    said = (("description", tool.description), ("strict", tool.strict), ("type", "custom" if tool.spelled else None))
    return with_extra(put(out, said), tool.extra)
