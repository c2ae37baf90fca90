"""What a reader learns from a reply, whatever its dialect; two that tell the same are equal here."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pennyworth.request import Dialect
from pennyworth.wire import loose
from pennyworth.wire.neutral.nouns import Refusal, Text, Thinking, ToolCall
from pennyworth.wire.speakers import SPEAKERS

Tokens = tuple[int, int, int, int, int]
_NONE: Tokens = (0, 0, 0, 0, 0)
"""Anthropic cannot leave them out."""


class Told(NamedTuple):
    """``text``: refusals too, for which Anthropic has no other words. ``seals``: signatures, and thinking that is sealed.
    ``calls``: id, name, arguments as a value."""

    id: str
    model: str
    stops: tuple[str | None, ...]
    text: str
    thought: str
    seals: tuple[str, ...]
    calls: tuple[tuple[str, str, Any], ...]
    tokens: Tokens


def told(raw: bytes, dialect: Dialect) -> Told | None:
    """``None``: it is no reply of that dialect."""
    completion = SPEAKERS[dialect].completion_of(loose.read(raw))
    if completion is None:
        return None
    parts = [part for answer in completion.answers for turn in answer.turns for part in turn.parts]
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    tokens = completion.tokens
    return Told(
        id=completion.id,
        model=completion.model,
        stops=tuple(answer.stop for answer in completion.answers),
        text="".join(part.text for part in parts if isinstance(part, Text | Refusal)),
        thought="".join(part.text for part in thoughts),
        seals=tuple(seal for part in thoughts if (seal := part.sealed or part.signature)),
        calls=tuple((part.id, part.name, _value(part.arguments)) for part in parts if isinstance(part, ToolCall)),
        tokens=(tokens.input, tokens.output, tokens.cached or 0, tokens.cache_write or 0, tokens.reasoning or 0)
        if tokens
        else _NONE,
    )


def _value(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
