"""Which questions are the same but for how they were typed? The text of the normalised tier's key.

Only what cannot change a question is folded: canonical composition (NFC), full-width ASCII, the way a line ends,
no-break spaces, and runs of spaces within a line of prose. Not NFKC: it turns 10⁵ into 105. Text of several lines, or
with a backtick, may be code and keeps its spaces and its case; a line with a double quote keeps its spaces.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pennyworth.plan import CacheSpec

_WIDTHS = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20, 0x00A0: 0x20, 0x202F: 0x20}
"""Full-width ASCII, the ideographic space and the no-break spaces, to what they stand for."""

_SPACES = re.compile("  +")
_END = ".?!。…"
_TURNS = frozenset(("user", "system", "developer"))
_TEXT_PARTS = frozenset(("text", "input_text"))


def normalise(text: str, spec: CacheSpec) -> str:
    """The text as the normalised key sees it. Idempotent."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_WIDTHS))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text or "`" in text:
        return text
    if '"' not in text:
        text = (_SPACES.sub(" ", text) if "  " in text else text).strip(" ")
    if spec.fold_case:
        text = unicodedata.normalize("NFC", text.lower())
    return _without_end(text) if spec.fold_end_punctuation else text


def normalise_messages(fields: Mapping[str, Any], spec: CacheSpec) -> Mapping[str, Any]:
    """A chat body with the text of its turns normalised; the same object where that changes nothing.

    Only what people write: user, system and developer turns. An assistant turn is what a model wrote (it does not vary
    with the typist, and the last one may be a beginning to go on from, where a space matters); tool results and
    arguments are data.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return fields
    folded = [_turn(message, spec) for message in messages]
    if all(map(operator.is_, folded, messages)):
        return fields
    return {**fields, "messages": folded}


def _turn(message: Any, spec: CacheSpec) -> Any:
    if not isinstance(message, dict):
        return message
    role, content = message.get("role"), message.get("content")
    if not (isinstance(role, str) and role in _TURNS):
        return message
    if isinstance(content, str):
        after: Any = normalise(content, spec)
    elif isinstance(content, list):
        after = _parts(content, spec)
    else:
        return message
    return message if after == content else {**message, "content": after}


def _parts(parts: list[Any], spec: CacheSpec) -> list[Any]:
    folded = [_part(part, spec) for part in parts]
    return parts if all(after is before for after, before in zip(folded, parts, strict=True)) else folded


def _part(part: Any, spec: CacheSpec) -> Any:
    if not isinstance(part, dict):
        return part
    kind, text = part.get("type"), part.get("text")
    if not (isinstance(kind, str) and kind in _TEXT_PARTS and isinstance(text, str)):
        return part
    after = normalise(text, spec)
    return part if after == text else {**part, "text": after}


def _without_end(text: str) -> str:
    """Without closing punctuation, unless nothing else is there."""
    return text.rstrip(_END + " ") or text
