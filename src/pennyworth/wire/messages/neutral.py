"""Anthropic messages in neutral nouns, both ways, and what it says of itself for translation."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.wire.messages.adopt import adopt, adopt_reply
from pennyworth.wire.messages.completions import body_of, completion_of
from pennyworth.wire.messages.prompts import fields_of, prompt_of
from pennyworth.wire.portable import Meaningless

FIELDS: Mapping[str, str] = {
    "cap": "max_tokens",
    "effort": "output_config.effort",
    "parallel": "tool_choice.disable_parallel_tool_use",
    "shape": "output_config.format",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
}

MEANINGLESS: Meaningless = {
    "caller": ({"type": "direct"},),
    "citations": ([], {"enabled": False}),
    "defer_loading": (False,),
    "eager_input_streaming": (False,),
    "mcp_servers": ([],),
    "metadata": ({},),
    "service_tier": ("auto",),
    "signature": ("",),
}

LOUD = ()

__all__ = [
    "FIELDS",
    "LOUD",
    "MEANINGLESS",
    "adopt",
    "adopt_reply",
    "body_of",
    "completion_of",
    "fields_of",
    "prompt_of",
]
