"""The requests in a connection's bytes, cut anywhere (RFC 9112). It never writes and never waits.

The parser is httptools (llhttp); what it lets pass and a gateway must not is refused here: heads and framing without an
end, bodies too large, trailers that would pass for headers, wishes for another protocol.
"""

from __future__ import annotations

from collections import deque

import httptools

from pennyworth.errors import RequestError
from pennyworth.plan import Limits
from pennyworth.server.asked import Asked
from pennyworth.server.intake import too_large
from pennyworth.server.request_head import BadHeadError, Heads, Pairs, malformed, read_head

_UPGRADES = (b"connection", b"upgrade", b"http2-settings")


class Incoming:
    """Fed bytes by ``feed``.

    Attributes:
        waiting: requests that are there whole, or whose body cannot be had, in their order.
        coming: the one whose body is on its way.
        limits: for the next request; one that has begun keeps those it began with.
        bad: why what comes after them cannot be read. ``deaf``: nothing more is read, because it cannot be told where the
            next request begins.
    """

    def __init__(self, limits: Limits, heads: Heads) -> None:
        self.waiting: deque[Asked] = deque()
        self.coming: Asked | None = None
        self.bad: BadHeadError | None = None
        self.deaf = False
        self.limits = limits
        self._limits = limits
        self._heads = heads
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._pairs: Pairs = []
        self._in_head = False
        self._head_bytes = 0
        self._framing_bytes = 0

    @property
    def in_head(self) -> bool:
        """A head has begun."""
        return self._in_head

    @property
    def idle(self) -> bool:
        """Not even an empty line has come of the next request."""
        return not (self.coming or self._in_head or self._head_bytes)

    def known(self, data: bytes) -> Asked | None:
        """The request that these bytes are, where a head like theirs has been read before and nothing else is under way."""
        if self.deaf or self.waiting or not self.idle:
            return None
        known = self._heads.known(data)
        return Asked(*known) if known else None

    def feed(self, data: bytes) -> None:
        if self.deaf:
            return
        begins = self.idle and not self.waiting
        self._count(len(data))
        try:
            self._parse(data)
            self._check_sizes()
        except BadHeadError as error:
            self._cannot_read(error)
        except httptools.HttpParserError as error:
            self._cannot_read(malformed(error, data if begins else b""))
        if begins and len(self.waiting) == 1 and self.idle:
            self._heads.learn(data, self.waiting[0].head)

    def _count(self, size: int) -> None:
        if self.coming is None:
            self._head_bytes += size
        else:
            self._framing_bytes += size

    def _parse(self, data: bytes) -> None:
        """A loop, outside of the handler: there may be any number of wishes in a row, and an error raised while another
        is handled loses what the parser says it came from."""
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                read = int(upgrade.args[0])
            data = self._head_without_upgrade() + data[read:]

    def _head_without_upgrade(self) -> bytes:
        """The head just read, as if no other protocol had been asked for, which RFC 9110 §7.8 allows; for a parser that
        would take the body for that protocol. (Java's client and curl --http2 ask for h2c in their first request.)"""
        version = self._parser.get_http_version().encode()
        start = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, version)
        lines = [start, *(b"%b: %b" % pair for pair in self._pairs if pair[0] not in _UPGRADES)]
        self._parser = httptools.HttpRequestParser(self)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _cannot_read(self, error: BadHeadError) -> None:
        """What comes next is no request; in the middle of a body, that body is at fault."""
        self.deaf = True
        coming, self.coming = self.coming, None
        if coming is None:
            self.bad = error
        else:
            coming.fail(RequestError(error.message, code="broken_body"))
            self.waiting.append(coming)

    def _check_sizes(self) -> None:
        """Asked after parsing, when what has gone into a body no longer counts as head or framing."""
        most = self._limits.max_header_bytes
        if self.coming is not None:
            if self._framing_bytes > most:
                raise BadHeadError(431, f"The trailers or chunk extensions are larger than {most} bytes.")
        elif self._head_bytes > most:
            raise BadHeadError(431, f"The request head is larger than {most} bytes.")

    # The parser's calls.

    def on_message_begin(self) -> None:
        self._in_head = True
        self._limits = self.limits
        self._target = b""
        self._pairs = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer is dropped: nothing we read belongs there, and it must not pass for a header
            self._pairs.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._in_head = False
        self._head_bytes = 0
        head = read_head(
            method=parser.get_method(),
            target=self._target,
            version=parser.get_http_version(),
            pairs=self._pairs,
            keep_alive=parser.should_keep_alive(),
            limits=self._limits,
        )
        if not parser.should_upgrade():  # else it is read once more, without that wish
            self.coming = Asked(head)

    def on_body(self, body: bytes) -> None:
        asked = self.coming
        if asked is None or asked.fault is not None:
            return
        self._framing_bytes = 0
        asked.add(body)
        if asked.size > self._limits.max_body_bytes:
            asked.fail(too_large(self._limits))

    def on_message_complete(self) -> None:
        if self.coming is not None:  # it is, for a head that is read once more
            self.waiting.append(self.coming)
            self.coming = None
