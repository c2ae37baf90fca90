"""Errors as the clients of Responses read them: OpenAI's error body, or an event of the type ``error``."""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.wire import loose
from pennyworth.wire.chat.problems import problem

__all__ = ["error_event", "problem", "problem_event"]


def problem_event(status: int, message: str, *, code: str = "") -> bytes:
    """The same as an event, for a stream that has begun."""
    return error_event(msgspec.json.decode(problem(status, message, code=code))["error"])


def error_event(error: Any) -> bytes:
    """An event in which a stream says that it failed. ``error``: the object of an error body.

    The reference puts ``code``, ``message`` and ``param`` beside the type, OpenAI itself sends them in an object
    ``error``. Both are there: typed clients read the former, and by the latter the SDKs know to raise ``APIError``, so
    that half an answer does not pass for a whole one. Its place in the stream is not known here: the number is 0.
    """
    said = error if isinstance(error, dict) else {"message": str(error)}
    named = {name: said.get(name) for name in ("code", "message", "param")}
    data = {"type": "error", **named, "error": said, "sequence_number": 0}
    return b"event: error\ndata: " + loose.write(data) + b"\n\n"
