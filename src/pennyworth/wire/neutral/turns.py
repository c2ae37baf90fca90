"""Turns put the way another dialect takes them: what was several is one, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

import msgspec

from pennyworth.wire.losses import CannotSayError, Losses
from pennyworth.wire.neutral.nouns import (
    Document,
    Image,
    Node,
    Opaque,
    Part,
    Prompt,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from pennyworth.wire.neutral.replies import Answer, Completion

_ORDER: Mapping[type, int] = {Thinking: 0, ToolCall: 2}
"""How an assistant's turn goes where its parts stand in fields: thoughts, what it shows, calls."""


def gathered(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The assistant's turns in a row as one: where a turn came in items, or its calls must stand in one message."""
    return _as_one(turns, lambda turn: turn.role == "assistant")


def with_results_together(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns in a row that are tool results and nothing else, as one: Anthropic wants all of them in the next turn."""
    return _as_one(turns, _only_results)


def _as_one(turns: Iterable[Turn], belongs: Callable[[Turn], bool]) -> tuple[Turn, ...]:
    """Turns in a row that belong together as one, the first of them with the parts of all."""
    out: list[Turn] = []
    for together, run in groupby(turns, belongs):
        first, *others = run
        if together and others:
            parts = tuple([part for turn in (first, *others) for part in turn.parts])
            first, others = msgspec.structs.replace(first, parts=parts), []
        out += (first, *others)
    return tuple(out)


def check_order(turn: Turn, losses: Losses) -> None:
    """Where parts stand in fields, what is said after a call or thought after a word has no place."""
    last = 0
    for part in turn.parts:
        place = _ORDER.get(part.__class__, 1)
        if place < last:
            losses.cannot(
                f"{part.at}.{_word(part)}", _shown(part), "there, an assistant thinks, speaks, then calls tools"
            )
        last = place


def with_its_own(turn: Turn, losses: Losses) -> Turn:
    """A block knows no role where turns are lists of them; where parts stand in fields, only the assistant thinks and calls,
    and only to the user belongs what a tool gave."""
    strange = _STRANGE.get(turn.role, ())
    if not any(part.__class__ in strange for part in turn.parts):
        return turn
    for part in turn.parts:
        if part.__class__ in strange:
            losses.cannot(f"{part.at}.{_word(part)}", _shown(part), f"it does not belong to a turn of the {turn.role}")
    return msgspec.structs.replace(turn, parts=tuple([part for part in turn.parts if part.__class__ not in strange]))


_STRANGE: Mapping[str, Collection[type]] = {
    "system": (Thinking, ToolCall, ToolResult, Image, Document),
    "user": (Thinking, ToolCall),
    "assistant": (ToolResult,),
}


def check_names(turns: Sequence[Turn], losses: Losses) -> None:
    """A result that names its tool says nothing new, if that is the tool that was called."""
    called = {part.id: part.name for turn in turns for part in turn.parts if part.__class__ is ToolCall}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolResult) and part.name is not None and called.get(part.call_id) != part.name:
                losses.cannot(f"{part.at}.name", part.name)


def check_last(prompt: Prompt, losses: Losses) -> Prompt:
    """An answer already begun is gone on with in one dialect, and answered in another."""
    if not prompt.turns or prompt.turns[-1].role != "assistant":
        return prompt
    turn = prompt.turns[-1]
    losses.cannot(f"{turn.at}.prefill", "the beginning of the answer")
    return msgspec.structs.replace(prompt, turns=prompt.turns[:-1])


def only(completion: Completion) -> Answer:
    """The one answer. Raises ``CannotSayError``: there are several."""
    if len(completion.answers) != 1:
        raise CannotSayError(f"{len(completion.answers)} choices")
    return completion.answers[0]


def sayable(answer: Answer) -> tuple[Part, ...]:
    """Its parts. Raises ``CannotSayError``: one of them only its own dialect can say, or why it ended."""
    parts = tuple([part for turn in answer.turns for part in turn.parts])
    for part in parts:
        if isinstance(part, Opaque):
            raise CannotSayError(part.kind)
    if answer.stop is None:
        raise CannotSayError("the reason for which it ended")
    return parts


def joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """What is shown as one text, where a reply has one place for it."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) < 2:
        return tuple(parts)
    others = [part for part in parts if not isinstance(part, Text)]
    return (Text(text="".join(texts)), *others)


N = TypeVar("N", bound=Node)


def plain(node: N) -> N:
    """Without what only its own dialect says: in a reply that is left out."""
    return msgspec.structs.replace(node, extra={}) if node.extra else node


def _only_results(turn: Turn) -> bool:
    return turn.role == "user" and bool(turn.parts) and all(part.__class__ is ToolResult for part in turn.parts)


def _word(part: Part) -> str:
    return part.__class__.__name__.lower()


def _shown(part: Part) -> str:
    return part.text if isinstance(part, Text | Thinking) else _word(part)
