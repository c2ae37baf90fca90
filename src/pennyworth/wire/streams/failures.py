"""Ends of a stream that are none: what a provider says went wrong, and what nobody could take for the whole.

Whether an event is an error is told as the recorders tell it, by its name or by a member, so that no reply is an error in
the books and looks whole to its caller.
"""

from __future__ import annotations

from typing import Any

from pennyworth.wire import loose, sse
from pennyworth.wire.streams.pieces import Failed

_MOST_REASON = 40
_SAYS_NOTHING = "The provider sent an error."


def says_error(event: bytes) -> bool:
    """By the event's name."""
    return b"error" in event and sse.read(event)[0] == b"error"


def failed(data: bytes) -> Failed:
    """The error in an event, however its provider frames it."""
    error = _error_in(_read(data))
    if error.__class__ is not dict:
        return Failed("api_error", _text(error) or _SAYS_NOTHING)
    kind, code = _text(error.get("type")), error.get("code")
    told = str(code) if isinstance(code, str | int) else ""
    return Failed("api_error" if kind in ("", "error") else kind, _text(error.get("message")) or _SAYS_NOTHING, told)


def _read(data: bytes) -> Any:
    try:
        return loose.read(data)
    except loose.UNREADABLE:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _error_in(body: Any) -> Any:
    """Where it stands: by itself, in a response (``response.failed``), in Groq's corner, or all over the event."""
    if body.__class__ is not dict:
        return None
    for holder in (body, body.get("response"), body.get("x_groq")):
        if holder.__class__ is dict and holder.get("error"):
            return holder["error"]
    return body


def unheard_of(reason: str) -> Failed:
    """It ended for a reason that nobody here knows: that must not pass for a good end."""
    told = reason[:_MOST_REASON]
    return Failed("api_error", f"The reply ended for a reason that has no words here: {told!r}", told)


def unreadable() -> Failed:
    """An event that cannot be read may have held anything: what is left must not pass for the whole."""
    return Failed("api_error", "An event of the reply could not be read", "unreadable_event")


def unsayable(what: str) -> Failed:
    """A part of what was said, and not beside it: a whole reply with such a part is refused too."""
    return Failed("api_error", f"The reply holds {what}, which has no words here", "cannot_translate")


def lost_call() -> Failed:
    """It ended to have a tool run, and no call came that could be said: nobody could go on from there."""
    return Failed("api_error", "The reply ended with a tool call that has no words here", "lost_call")
