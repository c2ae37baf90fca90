"""A recorded reply in the form its caller asked for: his dialect, and JSON or events."""

from __future__ import annotations

from pennyworth.request import Dialect, Request
from pennyworth.wire import translate
from pennyworth.wire.dialects import CODECS


def rendered(request: Request, raw: bytes, *, streamed: bool, origin: Dialect) -> bytes:
    """The reply to ``request`` that came in the dialect ``origin``.

    Raises:
        CannotSayError: the caller's dialect has no words for it.
    """
    into = request.dialect
    if origin == into:
        codec = CODECS[into]
        if request.stream:
            return codec.as_events(raw, streamed=streamed, usage=request.wants_usage)
        return codec.as_json(raw, streamed=streamed)
    if request.stream:
        return translate.reply_as_events(raw, streamed=streamed, origin=origin, into=into, usage=request.wants_usage)
    return translate.reply_as_json(raw, streamed=streamed, origin=origin, into=into)
