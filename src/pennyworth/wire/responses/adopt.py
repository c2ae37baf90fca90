"""OpenAI Responses: prompts and completions of other dialects, as this one can say them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from pennyworth.wire.chat.adopt import named
from pennyworth.wire.losses import CannotSayError, Losses
from pennyworth.wire.neutral.nouns import Opaque, Part, Prompt, Text, Thinking, Tool, ToolCall, ToolResult, Turn
from pennyworth.wire.neutral.replies import Answer, Completion, Tokens
from pennyworth.wire.neutral.turns import check_names, only, sayable, with_its_own
from pennyworth.wire.responses.items import MAKER

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_UNSAID: dict[str, Any] = {
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
"""What a response repeats of its request, and a translation does not know."""


def adopt(prompt: Prompt, losses: Losses) -> Prompt:
    """Raises ``RequestError``: something has no words here and may not be dropped.

    Unlike elsewhere, an answer is stored here unless it is said that it must not be, and a tool's arguments are held to
    its schema unless it is said that they need not be.
    """
    check_names(prompt.turns, losses)
    if prompt.stop:
        losses.noun("stop", list(prompt.stop))
    effort = prompt.effort
    if effort is not None and effort not in _EFFORTS:
        losses.noun("effort", effort)
        effort = None
    return msgspec.structs.replace(
        prompt,
        dialect="responses",
        turns=tuple([_turn(turn, losses) for turn in prompt.turns]),
        tools=None if prompt.tools is None else tuple([_tool(tool) for tool in prompt.tools]),
        shape=prompt.shape and named(prompt.shape, prompt),
        effort=effort,
        stop=None,
        extra={"store": False, **prompt.extra},
    )


def adopt_reply(completion: Completion) -> Completion:
    """Raises ``CannotSayError``. What stands beside what was said (citations, times) is left out."""
    answer = only(completion)
    parts = sayable(answer)
    if answer.stop == "tools" and not any(part.__class__ is ToolCall for part in parts):
        raise CannotSayError("a call that is missing")  # elsewhere the reason tells of it
    items = _items(parts, completion.id)
    extra = dict(_UNSAID)
    if answer.stop in ("length", "filtered"):
        del extra["incomplete_details"]
    tokens = completion.tokens and _tokens(completion.tokens)
    return msgspec.structs.replace(
        completion,
        dialect="responses",
        created=completion.created or 0,
        answers=(Answer(turns=tuple(items), stop=answer.stop),),
        tokens=tokens,
        extra=extra,
    )


def _turn(turn: Turn, losses: Losses) -> Turn:
    turn = with_its_own(turn, losses)
    parts = [_part(part, losses) for part in turn.parts]
    return msgspec.structs.replace(turn, parts=tuple([part for part in parts if part is not None]))


def _part(part: Part, losses: Losses) -> Part | None:
    if isinstance(part, ToolResult) and part.is_error:
        losses.cannot(f"{part.at}.is_error", True)
        return msgspec.structs.replace(part, is_error=None)
    if isinstance(part, Thinking) and (part.maker != MAKER or part.id is None):
        losses.thought(part.at, part.text, "it does not come from that provider")
        return None
    return part


def _tool(tool: Tool | Opaque) -> Tool | Opaque:
    return msgspec.structs.replace(tool, strict=bool(tool.strict)) if isinstance(tool, Tool) else tool


def _items(parts: Sequence[Part], name: str) -> list[Turn]:
    """The parts of a reply as items: one for each, and one for thoughts of one id."""
    items = []
    for i, (id_, same) in enumerate(groupby(parts, _belongs_to)):
        part = next(same)
        if isinstance(part, Thinking):
            own = id_ if isinstance(id_, str) else f"rs_{name}_{i}"
            thoughts = [thought for one in (part, *same) for thought in _thoughts(one, own)]
            items.append(Turn(role="assistant", parts=tuple(thoughts)))
        else:
            items.append(_item(part, f"{name}_{i}"))
    return items


def _belongs_to(part: Part) -> str | int:
    """The id of the item it came from, else nothing but itself."""
    return (part.id if isinstance(part, Thinking) else None) or id(part)


def _thoughts(part: Part, id_: str) -> Iterator[Thinking]:
    """A signature is handed back as what is sealed is."""
    if not isinstance(part, Thinking):
        return
    if part.sealed is None:
        spelled = part.spelled if part.maker == MAKER else ("summary",)
        yield Thinking(text=part.text, id=id_, spelled=tuple(word for word in spelled if word in ("summary", "empty")))
    sealed = part.signature if part.sealed is None else part.sealed
    if sealed:
        yield Thinking(sealed=sealed, id=id_)


def _item(part: Part, name: str) -> Turn:
    """A part as an item of its own, with what every item has."""
    bare = msgspec.structs.replace(part, extra={}, spelled=())
    status = {"status": "completed"}
    match bare:
        case Text():
            bare = msgspec.structs.replace(bare, extra={"annotations": [], "logprobs": []})
        case ToolCall():
            call = msgspec.structs.replace(bare, extra={"id": f"fc_{name}", **status})
            return Turn(role="assistant", parts=(call,))
    return Turn(role="assistant", parts=(bare,), extra={"id": f"msg_{name}", **status}, spelled=("list", "typed"))


def _tokens(tokens: Tokens) -> Tokens:
    return Tokens(
        input=tokens.input,
        output=tokens.output,
        total=tokens.input + tokens.output,
        cached=tokens.cached or 0,
        cache_write=tokens.cache_write or None,
        reasoning=tokens.reasoning or 0,
    )
