"""The provider's ``usage`` object as ``Usage``. Field names by OpenAI's API reference, with DeepSeek's and OpenRouter's."""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


_DECODER = msgspec.json.Decoder(_Usage)


def read_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """The usage, or ``None`` when it is absent, malformed or negative: then it has to be estimated."""
    try:
        found = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    into = found.prompt_tokens_details or _InputDetails()
    out = found.completion_tokens_details or _OutputDetails()
    usage = Usage(
        input=found.prompt_tokens,
        output=found.completion_tokens or 0,
        cached=into.cached_tokens or found.prompt_cache_hit_tokens or 0,
        cache_write=into.cache_write_tokens or 0,
        reasoning=out.reasoning_tokens or 0,
        input_audio=into.audio_tokens or 0,
        output_audio=out.audio_tokens or 0,
    )
    return usage if _plausible(usage) else None


def _plausible(usage: Usage) -> bool:
    return (
        min(usage.input, usage.output, usage.cached, usage.cache_write, usage.reasoning) >= 0
        and usage.cached + usage.cache_write <= usage.input
        and min(usage.input_audio, usage.output_audio) >= 0
    )
