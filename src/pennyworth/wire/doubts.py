"""What speaks against a reply, whatever its dialect: bytes that are no events, and bytes that could not be given again in
every form, so that a caller may be given them but they are not kept."""

from __future__ import annotations

import re

from pennyworth.wire import sse

_LONE_CR = re.compile(rb"\r(?!\n)")

LOOSE = "the reply holds NaN, Infinity or half a character, which strict JSON does not"
"""The same of what only ``loose`` could read."""


def of_rest(rest: bytes) -> str:
    """What speaks against a reply whose body ended in these bytes, without a blank line; "" where nothing does."""
    if data := sse.data_of(rest):
        return "" if data.startswith(b"[DONE]") else "the last event is not whole"
    return "" if sse.is_plain(rest) else "trailing bytes that are no event"


def of_silent(event: bytes) -> str:
    """An event without data says nothing, but an error that a server wrote between the events does."""
    return "bytes that are no event" if event.lstrip()[:1] in (b"{", b"<") else ""


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
