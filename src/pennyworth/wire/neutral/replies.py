"""A completion: what a provider answered, and the tokens it took."""

from __future__ import annotations

from typing import Literal

from pennyworth.request import Dialect
from pennyworth.wire.neutral.nouns import Node, Turn

Stop = Literal["stop", "length", "tools", "filtered"]
"""Why it ended: by itself or at a stop sequence; at the cap; to have tools run; by a filter or a refusal."""


class Tokens(Node, frozen=True, kw_only=True):
    """``None``: not said. ``cached`` and ``cache_write`` are parts of ``input``, ``reasoning`` of ``output``."""

    input: int
    output: int
    total: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Answer(Node, frozen=True, kw_only=True):
    """One of the answers asked for.

    Attributes:
        turns: what was said: one turn, or several items that make up one.
        stop: ``None`` = not said, or for a reason of its dialect alone. ``stopped_at``: the stop sequence.
    """

    turns: tuple[Turn, ...]
    index: int = 0
    stop: Stop | None = None
    stopped_at: str | None = None


class Completion(Node, frozen=True, kw_only=True):
    """``created``: seconds since 1970; ``None`` = not said."""

    dialect: Dialect
    id: str
    model: str
    answers: tuple[Answer, ...]
    tokens: Tokens | None = None
    created: int | None = None
