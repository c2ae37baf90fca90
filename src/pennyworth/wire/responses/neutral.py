"""OpenAI Responses in neutral nouns, both ways, and what it says of itself for translation."""

from __future__ import annotations

from pennyworth.wire.responses.completions import body_of, completion_of
from pennyworth.wire.responses.prompts import fields_of, prompt_of

__all__ = ["body_of", "completion_of", "fields_of", "prompt_of"]
