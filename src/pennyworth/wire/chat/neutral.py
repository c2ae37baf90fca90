"""Chat completions in neutral nouns, both ways, and what it says of itself for translation."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.wire.chat.adopt import adopt, adopt_reply
from pennyworth.wire.chat.completions import body_of, completion_of
from pennyworth.wire.chat.prompts import fields_of, prompt_of
from pennyworth.wire.portable import ANYTHING, Meaningless

FIELDS: Mapping[str, str] = {
    "effort": "reasoning_effort",
    "shape": "response_format",
}

MEANINGLESS: Meaningless = {
    "annotations": ([],),
    "detail": ("auto",),
    "frequency_penalty": (0,),
    "index": ANYTHING,
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "reasoning": ("",),
    "reasoning_content": ("",),
    "reasoning_details": ([],),
    "refusal": ("",),
    "service_tier": ("auto",),
    "store": (False,),
    "stream_options": ANYTHING,
    "tool_calls": ([],),
    "top_logprobs": (0,),
}

LOUD = ("audio", "function_call", "images")
"""Members of a reply's message that are what was said: a reply with one of them has no words elsewhere."""

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
