"""A stream of one dialect, said in another while it passes."""

from __future__ import annotations

from pennyworth.request import Dialect
from pennyworth.wire.sse import EventSplitter
from pennyworth.wire.streams.events import typed
from pennyworth.wire.streams.from_chat import ChatReader
from pennyworth.wire.streams.from_messages import MessagesReader
from pennyworth.wire.streams.from_responses import ResponsesReader
from pennyworth.wire.streams.into_chat import ChatWriter
from pennyworth.wire.streams.into_messages import MessagesWriter
from pennyworth.wire.streams.into_responses import ResponsesWriter
from pennyworth.wire.streams.pieces import Piece, Reader, Writer

_SIGNS_OF_LIFE = (b":", b"event: ping")
_COMMENT = b": keep-alive\n\n"
_PING = typed(b"ping", b'{"type": "ping"}')


class StreamTranslator:
    """``feed`` a stream of ``origin`` and pass on what comes out; ``finish`` when the provider ended the body by itself.

    - It raises nothing: what has no words in the other dialect is left out.
    - Whatever the cuts, all that comes out is the same, and whole events; ``b""`` where there is nothing to say yet.
    - It never invents an ending: what broke off before its own terminal event has none in the other dialect either.
    - A sign of life (a comment, a ping) is passed on as one: a load balancer must not cut off a model that thinks.
    - ``usage``: whether the caller asked for it, where the dialect leaves the choice.
    """

    __slots__ = ("_alive", "_splitter", "_way")

    def __init__(self, origin: Dialect, into: Dialect, *, usage: bool = True) -> None:
        reader, writer = _reader(origin), _writer(into, usage)
        self._alive = _PING if into == "messages" else _COMMENT
        self._splitter = EventSplitter()
        self._way = (reader, writer) if reader and writer and origin != into else None

    def feed(self, events: bytes) -> bytes:
        if self._way is None:
            return events
        reader, writer = self._way
        said = []
        for event in self._splitter.feed(events):
            if pieces := reader.read(event):
                said.append(_said(pieces, writer))
            elif event.startswith(_SIGNS_OF_LIFE):
                said.append(self._alive)
        return said[0] if len(said) == 1 else b"".join(said)

    def finish(self) -> bytes:
        """What waited for the end of the body. An event without its blank line is none, but for ``[DONE]``."""
        if self._way is None:
            return b""
        reader, writer = self._way
        return _said(reader.finish(), writer)


def _said(pieces: list[Piece], writer: Writer) -> bytes:
    if len(pieces) == 1:
        return writer.write(pieces[0])
    return b"".join([writer.write(piece) for piece in pieces])


def _reader(origin: Dialect) -> Reader | None:
    match origin:
        case "chat":
            return ChatReader()
        case "messages":
            return MessagesReader()
        case "responses":
            return ResponsesReader()
    return None


def _writer(into: Dialect, usage: bool) -> Writer | None:
    match into:
        case "chat":
            return ChatWriter(usage=usage)
        case "messages":
            return MessagesWriter()
        case "responses":
            return ResponsesWriter()
    return None
