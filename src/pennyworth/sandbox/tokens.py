"""How many tokens the sandbox says a text has: a tokenizer of its own, small, deterministic and documented.

A token is: up to twelve ASCII letters with the space before them; up to three ASCII digits; a run of white space; or any
other single character (so Chinese counts one token a character, and Vietnamese more than English, as with real
vocabularies). A watermark is one token. Nothing here resembles a provider's vocabulary: only the bill must agree with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

MEDIA_TOKENS = 85
"""What an image, a sound or a file costs: OpenAI's price of a low-detail image, whatever its size."""

_TOKEN = re.compile(r" ?\[(?:wm|end):[0-9a-f]{32}\]| ?[A-Za-z]{1,12}|[0-9]{1,3}|\s+|[^\sA-Za-z0-9]")
_NAMES = frozenset(("id", "type", "role", "status"))
"""Of an item: what it is called, not what it says."""
_PRIMING = ("<|start|>", "assistant", "<|message|>")


def split(text: str) -> list[str]:
    """The tokens of a text; joined together they are the text again."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    return len(split(text))


def prompt_tokens(fields: Mapping[str, Any]) -> list[str]:
    """The prompt as the model would see it: tools first, then each message with three tokens of framing, then three
    that open the answer. The order matters: a prompt cache matches prefixes of it."""
    tokens: list[str] = []
    if tools := fields.get("tools"):
        tokens += split(msgspec.json.encode(tools).decode())
    for message in fields["messages"]:
        tokens += _message(message)
    tokens += _PRIMING
    return tokens


def input_tokens(fields: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The same for a body of Responses: its instructions are the first turn, what the provider remembers comes next."""
    tokens: list[str] = []
    if tools := fields.get("tools"):
        tokens += split(msgspec.json.encode(tools).decode())
    said = fields.get("input")
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else said or []
    if instructions := fields.get("instructions"):
        turns = [{"role": "developer", "content": instructions}, *earlier, *turns]
    else:
        turns = [*earlier, *turns]
    for turn in turns:
        kind = turn.get("role") or turn.get("type") or "item"
        tokens += _message({"role": kind, **{name: turn[name] for name in turn if name not in _NAMES}})
    tokens += _PRIMING
    return tokens


def _message(message: Mapping[str, Any]) -> list[str]:
    tokens = ["<|start|>", *split(message["role"]), "<|message|>"]
    for name, value in message.items():
        if name == "content":
            tokens += _content(value)
        elif name != "role" and value is not None:
            tokens += split(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    tokens.append("<|end|>")
    return tokens


def _content(content: Any) -> list[str]:
    if isinstance(content, str):
        return split(content)
    return [token for part in content or () for token in _part(part)]


def _part(part: Mapping[str, Any]) -> list[str]:
    if isinstance(text := part.get("text", part.get("refusal")), str):
        return split(text)
    digest = hashlib.blake2b(msgspec.json.encode(part, order="sorted"), digest_size=8).hexdigest()
    return [f"<|media:{digest}|>"] * MEDIA_TOKENS
