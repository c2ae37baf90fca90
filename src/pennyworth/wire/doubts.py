"""Bytes that a caller may be given but that are not kept: they could not be given again in every form."""

from __future__ import annotations

import re

_LONE_CR = re.compile(rb"\r(?!\n)")

LOOSE = "the reply holds NaN, Infinity or half a character, which strict JSON does not"
"""The same of what only ``loose`` could read."""


def of_bytes(raw: bytes, streamed: bool) -> str:
    """What is doubtful about a reply's bytes; "" where nothing is."""
    if streamed and b"\r" in raw and _LONE_CR.search(raw):
        return "a line of it ends with a mere CR, where JSON would take that for a space"
    return "" if raw.isascii() or _is_utf8(raw) else "the reply is not UTF-8 throughout"


def _is_utf8(raw: bytes) -> bool:
    """Looked at by itself: what nobody needs of a reply is skipped, whatever its bytes."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
