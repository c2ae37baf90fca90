"""The ``usage`` object of a response as ``Usage``, by OpenAI's API reference."""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage
from pennyworth.wire.chat.usage import InputDetails, OutputDetails, plausible


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_USAGE = msgspec.json.Decoder(_Usage).decode
_NONE = InputDetails()
_NOTHING = OutputDetails()


def read_usage(raw: bytes) -> Usage | None:
    """The usage, or ``None`` when it is absent, malformed or negative: then it has to be estimated."""
    try:
        found = _USAGE(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    into = found.input_tokens_details or _NONE
    out = found.output_tokens_details or _NOTHING
    usage = Usage(
        input=found.input_tokens,
        output=found.output_tokens or 0,
        cached=into.cached_tokens or 0,
        cache_write=into.cache_write_tokens or 0,
        reasoning=out.reasoning_tokens or 0,
        input_audio=into.audio_tokens or 0,
        output_audio=out.audio_tokens or 0,
    )
    return usage if plausible(usage) else None
