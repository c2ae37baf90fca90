"""OpenAI Responses in neutral nouns, both ways, and what it says of itself for translation."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.wire.portable import ANYTHING, Meaningless
from pennyworth.wire.responses.adopt import adopt, adopt_reply
from pennyworth.wire.responses.completions import body_of, completion_of
from pennyworth.wire.responses.prompts import fields_of, prompt_of

FIELDS: Mapping[str, str] = {
    "cap": "max_output_tokens",
    "effort": "reasoning.effort",
    "shape": "text.format",
    "verbosity": "text.verbosity",
}

MEANINGLESS: Meaningless = {
    "annotations": ([],),
    "background": (False,),
    "detail": ("auto",),
    "id": ANYTHING,
    "include": ([], ["reasoning.encrypted_content"]),
    "logprobs": ([],),
    "metadata": ({},),
    "service_tier": ("auto",),
    "status": ANYTHING,
    "store": (False,),
    "stream_options": ANYTHING,
    "top_logprobs": (0,),
    "truncation": ("disabled",),
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
