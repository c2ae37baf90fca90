"""Anthropic's ``usage`` as ``Usage``.

Its ``input_tokens`` are only what neither came from the prompt cache nor was written to it (platform.claude.com, "Prompt
caching", "Tracking cache performance"); ours are all of the input. In a stream the counts come twice, at the start and,
cumulative, at the end: the later one wins, count by count.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.money import Usage


class _Creation(msgspec.Struct, gc=False):
    ephemeral_1h_input_tokens: int | None = None


class _Details(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class Counts(msgspec.Struct, gc=False):
    """The counts of one usage object, or of several of them merged."""

    type: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Creation | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: dict[str, Any] | None = None
    iterations: list[Counts] | None = None

    @property
    def served(self) -> bool:
        """The provider ran tools of its own."""
        return bool(self.server_tool_use and any(self.server_tool_use.values()))

    def usage(self) -> Usage | None:
        """The tokens, or ``None`` where they are not all there or cannot be true.

        What it took to compact the context is counted apart, and charged all the same (SDK, ``BetaUsage.iterations``).
        """
        own = _usage(self)
        apart = [_usage(one) for one in self.iterations or () if one.type == "compaction"]
        return _sum([own, *[one for one in apart if one]]) if own and apart else own


_COUNTS = msgspec.json.Decoder(Counts).decode
_ABSURD = 10**10
"""So many tokens are a mistake; they must not reach the books, whose rows are 64 bits wide."""


def read_counts(raw: bytes) -> Counts | None:
    """The counts in these bytes; ``None`` where they are malformed or there are none."""
    try:
        return _COUNTS(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def merged(first: Counts | None, then: Counts) -> Counts:
    """What counts after both: of each count the one that was said last."""
    if first is None:
        return then
    said = {name: value for name in Counts.__struct_fields__ if (value := getattr(then, name)) is not None}
    return msgspec.structs.replace(first, **said)


def _usage(counts: Counts) -> Usage | None:
    fresh, output = counts.input_tokens, counts.output_tokens
    if fresh is None or output is None:
        return None
    read, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
    for_an_hour = counts.cache_creation.ephemeral_1h_input_tokens if counts.cache_creation else 0
    thought = counts.output_tokens_details.thinking_tokens if counts.output_tokens_details else 0
    usage = Usage(
        input=fresh + read + written,
        output=output,
        cached=read,
        cache_write=written,
        reasoning=thought or 0,
        cache_write_1h=min(for_an_hour or 0, written),
    )
    parts = (fresh, output, read, written, usage.reasoning, usage.cache_write_1h)
    return usage if min(parts) >= 0 and max(usage.input, output) < _ABSURD else None


def _sum(usages: list[Usage]) -> Usage:
    return Usage(**{name: sum([getattr(one, name) for one in usages]) for name in Usage.__struct_fields__})
