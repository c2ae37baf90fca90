"""A prompt without what only its own dialect can say: each such thing is named to ``Losses`` and then left out."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any, Final, TypeVar

import msgspec

from pennyworth.wire.losses import Losses
from pennyworth.wire.neutral.nouns import Node, Opaque, Part, Prompt, Tool, ToolResult, Turn


class _Anything:
    def __contains__(self, value: object) -> bool:
        return True


ANYTHING: Final = _Anything()
"""In a table of what means nothing: whatever the value."""

Meaningless = Mapping[str, Container[Any]]
"""Members of a dialect, with the values that say nothing to another: its defaults, or ``ANYTHING``."""

_OUTER = frozenset(("function", "json_schema", "image_url", "file", "reasoning", "text", "output_config"))
"""Objects of which some members are nouns: the others are named one by one."""

N = TypeVar("N", bound=Node)


def portable(
    prompt: Prompt, meaningless: Meaningless, losses: Losses, keep: Collection[str] = (), *, nulls: bool = True
) -> Prompt:
    """``keep``: fields of the body that mean the same in the dialect it goes into, under the same name.

    ``nulls``: a member that is null says nothing, whatever it is.
    """
    sieve = _Sieve(meaningless, losses, nulls)
    turns = tuple([sieve.turn(turn) for turn in prompt.turns])
    kept = {name: value for name, value in prompt.extra.items() if name in keep}
    sieve.lose("", {name: value for name, value in prompt.extra.items() if name not in keep})
    return msgspec.structs.replace(
        prompt,
        turns=tuple([turn for turn in turns if turn is not None]),
        tools=None if prompt.tools is None else sieve.tools(prompt.tools),
        choice=prompt.choice and sieve.node(prompt.choice),
        shape=prompt.shape and sieve.node(prompt.shape),
        extra=kept,
    )


class _Sieve:
    def __init__(self, meaningless: Meaningless, losses: Losses, nulls: bool) -> None:
        self._nulls = nulls
        self._meaningless = meaningless
        self._losses = losses

    def lose(self, at: str, members: Mapping[str, Any]) -> None:
        for name, value in members.items():
            if value is None and self._nulls:
                continue
            path = f"{at}.{name}" if at else name
            if name in _OUTER and isinstance(value, dict):
                self.lose(path, value)
                continue
            if value not in self._meaningless.get(name, ()):
                self._losses.cannot(path, value)

    def node(self, node: N) -> N:
        if not node.extra:
            return node
        self.lose(node.at, node.extra)
        return msgspec.structs.replace(node, extra={})

    def turn(self, turn: Turn) -> Turn | None:
        """``None``: nothing of it may go on."""
        parts = self.parts(turn.parts)
        if parts is turn.parts:
            return self.node(turn)
        if not parts and turn.role == "other":
            return None
        return msgspec.structs.replace(self.node(turn), parts=parts)

    def parts(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The same object where nothing is taken away."""
        for part in parts:
            if part.extra or part.__class__ is Opaque or part.__class__ is ToolResult:
                sieved = [self.part(part) for part in parts]
                return tuple([part for part in sieved if part is not None])
        return parts

    def part(self, part: Part) -> Part | None:
        if isinstance(part, Opaque):
            self._losses.cannot(f"{part.at}.{part.kind}", part.value)
            return None
        if isinstance(part, ToolResult):
            part = msgspec.structs.replace(part, parts=self.parts(part.parts))
        return self.node(part)

    def tools(self, tools: tuple[Tool | Opaque, ...]) -> tuple[Tool | Opaque, ...]:
        kept = []
        for tool in tools:
            if isinstance(tool, Opaque):
                self._losses.cannot(f"{tool.at}.{tool.kind}", tool.value)
            else:
                kept.append(self.node(tool))
        return tuple(kept)
