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
    try:
        error: Any = _error_in(loose.read(data))
    except loose.UNREADABLE:
        error = None
    if error.__class__ is not dict:
        return Failed("api_error", error if isinstance(error, str) and error else _SAYS_NOTHING)
    kind, message, code = error.get("type"), error.get("message"), error.get("code")
    known = isinstance(kind, str) and kind not in ("", "error")
    said = message if isinstance(message, str) and message else _SAYS_NOTHING
    return Failed(kind if known else "api_error", said, str(code) if isinstance(code, str | int) else "")


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


def lost_call() -> Failed:
    """It ended to have a tool run, and no call came that could be said: nobody could go on from there."""
    return Failed("api_error", "The reply ended with a tool call that has no words here", "lost_call")
