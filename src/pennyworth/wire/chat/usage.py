"""The provider's ``usage`` object as ``Usage``. Field names by OpenAI's API reference, with those of its imitators."""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage


class InputDetails(msgspec.Struct, gc=False):
    """Parts of the input, by the names that OpenAI gives them in each of its dialects."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    cached_tokens: int | None = None  # Moonshot, Together


class _ServerTools(msgspec.Struct, gc=False):
    tool_calls_executed: int | None = None  # OpenRouter
    web_search_requests: int | None = None


class _Reach(msgspec.Struct, gc=False):
    server_tool_use: _ServerTools | None = None
    server_tool_use_details: _ServerTools | None = None
    num_sources_used: int | None = None  # xAI
    num_search_queries: int | None = None  # Perplexity


_USAGE = msgspec.json.Decoder(_Usage).decode
_REACH = msgspec.json.Decoder(_Reach).decode
_ABSURD = 10**10
"""So many tokens are a mistake; they must not reach the books, whose rows are 64 bits wide."""
_NONE = InputDetails()
_NOTHING = OutputDetails()
_NO_TOOLS = _ServerTools()


def read_usage(raw: bytes) -> Usage | None:
    """The usage, or ``None`` when it is absent, malformed or negative: then it has to be estimated."""
    try:
        found = _USAGE(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    into = found.prompt_tokens_details or _NONE
    out = found.completion_tokens_details or _NOTHING
    cached = into.cached_tokens or found.prompt_cache_hit_tokens or found.cached_tokens or 0
    cache_write = into.cache_write_tokens or 0
    input_tokens, output_tokens = _whole(found, cached + cache_write)
    usage = Usage(
        input=input_tokens,
        output=output_tokens,
        cached=cached,
        cache_write=cache_write,
        reasoning=out.reasoning_tokens or 0,
        input_audio=into.audio_tokens or 0,
        output_audio=out.audio_tokens or 0,
    )
    return usage if plausible(usage) else None


def reached_out(raw: bytes) -> bool:
    """The usage says that the provider searched or ran tools of its own."""
    if b"server_tool" not in raw and b"num_s" not in raw and b"\\" not in raw:
        return False  # nearly always: none of the names is there, spelled out or escaped
    try:
        found = _REACH(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    tools = (found.server_tool_use or _NO_TOOLS, found.server_tool_use_details or _NO_TOOLS)
    return any(tool.tool_calls_executed or tool.web_search_requests for tool in tools) or bool(
        found.num_sources_used or found.num_search_queries
    )


def _whole(found: _Usage, from_cache: int) -> tuple[int, int]:
    """Input and output tokens that add up to the total, where the provider counts some apart.

    xAI and Gemini leave reasoning out of ``completion_tokens`` and bill it as output (xAI's own example: 32 + 9 + 94
    reasoning = 135 in total). A gap as large as what came from the cache is a prompt counted without it.
    """
    into, out = found.prompt_tokens, found.completion_tokens or 0
    gap = (found.total_tokens or 0) - into - out
    if gap <= 0:
        return into, out
    return (into + gap, out) if gap == from_cache else (into, out + gap)


def plausible(usage: Usage) -> bool:
    """Each part fits into its whole. Two parts may overlap: OpenRouter counts what it writes and reads in one go twice."""
    parts = (usage.cached, usage.cache_write, usage.reasoning, usage.input_audio, usage.output_audio)
    return (
        min(usage.input, usage.output, *parts) >= 0
        and max(usage.cached, usage.cache_write) <= usage.input
        and max(usage.input, usage.output) < _ABSURD
    )
