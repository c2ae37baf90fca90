"""Reads one reply: fed bytes cut anywhere, it has the status, the headers and the body. It never reads or waits.

The grammar is llhttp's, by httptools, with the leniencies real servers need (and aiohttp grants). Whatever llhttp does
not judge is judged here: how long a head may be, which replies come before the reply, what may follow it.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_MAX_BARE_BYTES = 16 * 1024
"""So much may come without a byte of body: a head with all that precedes it, a chunk's extensions, trailers."""

_MAX_HEADERS = 128
_SWITCHING = 101


class NotHttpError(Exception):
    """What came is no reply."""


class Reply:
    """One reply, as far as it has come.

    Attributes:
        status, headers: of the reply itself; 1xx before it are skipped. Names are in lower case.
        pieces: of the body, waiting to be taken.
        begun: the head is complete. ``whole``: so is the body. ``encoding``: of the content, "" for none.
        reusable: another request may follow on this connection.
    """

    __slots__ = (
        *("begun", "encoding", "headers", "on_body", "pieces", "reusable", "status", "whole"),
        *("_bodiless", "_delimited", "_followed", "_bare_bytes", "_parser"),
    )

    def __init__(self, *, bodiless: bool = False) -> None:
        """``bodiless``: the answer to a HEAD, whose headers speak of a body that does not come (RFC 9110 §9.3.2)."""
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.begun = False
        self.whole = False
        self.encoding = ""
        self.reusable = False
        # llhttp's callback: no frame of ours for each chunk
        self.on_body = self._unasked if bodiless else self.pieces.append
        self._bodiless = bodiless
        self._delimited = False
        self._followed = False
        self._bare_bytes = 0
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def untouched(self) -> bool:
        """Not a byte of it has come."""
        return not (self.begun or self._bare_bytes)

    def feed(self, data: bytes) -> None:
        """Raises ``NotHttpError``; pieces that came before the fault are there all the same."""
        if self._parser is None:
            raise NotHttpError
        pieces = len(self.pieces)
        self._bare_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # to what we did not ask for: a reply without a body, and the last here
        except HttpParserError as error:
            if not self._followed:
                self.whole = False  # what follows is no reply either: then it is the length that was wrong
                self.drop()
                raise NotHttpError from error
        if self.whole:
            self.drop()
        elif len(self.pieces) > pieces:
            self._bare_bytes = 0
        elif self._bare_bytes > _MAX_BARE_BYTES:
            self.drop()
            raise NotHttpError

    def end(self) -> bool:
        """The connection has ended in order: whether that is the proper end of the reply (RFC 9112 §6.3, rule 8)."""
        if self.begun and not self._delimited:
            self.whole = True
        self.drop()
        return self.whole

    def drop(self) -> None:
        """Nothing more is fed. The parser knows us and we know it: taken apart, neither waits for the collector."""
        self._parser = None

    # What the parser calls. An exception of ours makes it stop and raise HttpParserError.

    def on_message_begin(self) -> None:
        self.reusable = False  # known at its end; and a second message must not follow the first

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.begun:  # else it is a trailer, or of a second reply: both are dropped
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        if self.whole:
            self._followed = True
            raise NotHttpError
        self.status = self._parser.get_status_code()
        if self.status < 200 and self.status != _SWITCHING:
            return
        if len(self.headers) > _MAX_HEADERS or (self._bare_bytes > _MAX_BARE_BYTES and self._too_long()):
            raise NotHttpError
        for name, value in self.headers:
            if name == "content-encoding":
                self._note_encoding(value)
            elif name == "transfer-encoding":
                self._delimited = True
                if value.lower() != "chunked":
                    raise NotHttpError
            elif name == "content-length":
                self._delimited = True
        self.begun = True
        if self._bodiless:
            self.whole = True
            self.reusable = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        if not self.begun:
            self.headers.clear()  # a 1xx before the reply
            return
        if self._bodiless:
            return  # it ended with its head
        assert self._parser is not None
        self.whole = True
        self._followed = self.status == _SWITCHING
        self.reusable = not self._followed and self._parser.should_keep_alive()

    def _unasked(self, _: bytes) -> None:
        """A body where there is none: whatever follows this reply is not the next one's."""
        self.reusable = False

    def _note_encoding(self, value: str) -> None:
        if value.lower() not in ("", "identity"):
            self.encoding = value

    def _too_long(self) -> bool:
        """The bare bytes may be the body's beginning too, which came with the head."""
        return sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers) > _MAX_BARE_BYTES
