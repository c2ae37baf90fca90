"""One connection to a provider: a request goes out, its reply is fed as it comes, and time is kept.

It knows no configuration and makes no errors: ``broken`` says how it failed, ``road`` says it in words.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple, cast

from pennyworth.plan import STRAIGHT, Road
from pennyworth.upstreams.reply import NotHttpError, Reply
from pennyworth.upstreams.road import Broken, wants_certificate
from pennyworth.upstreams.unseen import Evidence

_HIGH_WATER = 16 * 1024
"""So many bytes may wait for a slow reader; then the provider waits."""

READ_BYTES = 16 * 1024
"""Of one recv(2), into a buffer that all connections share. A transport left to itself reads up to 256 KB, which then wait, whatever the high-water mark says."""

_JOINED = 64 * 1024
"""A body up to this length is copied behind its head: one write(2) is cheaper than two buffers."""

_TICK_S = 0.001


class Origin(NamedTuple):
    """What a connection leads to, and by which road: two that differ in either are never taken for each other."""

    tls: bool
    host: str
    port: int
    road: Road = STRAIGHT


class Connection(asyncio.BufferedProtocol):
    """``send``, then wait for ``news`` until the reply has begun, ``take`` its pieces, ``finish``. Or ``close``, any time.

    Attributes:
        reply: to the request under way; ``None`` while it waits for one.
        broken: how it failed, which it does once.
        idle_since: the loop's time when it last came to the pool.
    """

    __slots__ = (
        *(
            "broken",
            "idle_since",
            "origin",
            "reply",
            "_buffer",
            "_deadline",
            "_evidence",
            "_gone",
            "_held",
            "_idle_s",
            "_loop",
        ),
        *("_paused", "_read", "_timer", "_timer_at", "_transport", "_unsent", "_waiter"),
    )

    def __init__(
        self, origin: Origin, line: socket.socket, gone: Callable[[Connection], None], buffer: memoryview
    ) -> None:
        """``gone`` is called once, when it can be used no longer. ``buffer`` holds what came for one turn."""
        self.origin = origin
        self.reply: Reply | None = None
        self.broken: Broken | None = None
        self.idle_since = 0.0
        self._buffer = buffer
        self._evidence = Evidence(line, not origin.tls)
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline = 0.0
        self._idle_s = 0.0
        self._read = 0
        self._held = 0
        self._paused = False
        self._unsent = 0

    # For the one who calls.

    def at_rest(self) -> bool:
        """Whether a request may be written; looked at just before it is."""
        return self.broken is None and not self._transport.is_closing() and self._evidence.at_rest(self._read)

    def send(self, head: bytes, body: bytes, deadline: float, idle_s: float, *, bodiless: bool = False) -> Reply:
        """The reply to be fed. It must be whole at ``deadline``, or where ``idle_s`` is given, never be silent so long.
        ``bodiless``: as of ``Reply``."""
        self.reply = reply = Reply(bodiless=bodiless)
        self._held = 0
        self._idle_s = idle_s
        self._deadline = deadline = self._loop.time() + idle_s if idle_s else deadline
        if self.broken is not None:
            return reply
        if self._timer is None or self._timer_at > deadline:
            self._arm()
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
            self._unsent = self._transport.get_write_buffer_size()
        return reply

    def news(self) -> asyncio.Future[None]:
        """Await it: something has come, or the connection broke. It may wake without either."""
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def take(self) -> bytes:
        """The pieces that wait."""
        assert self.reply is not None
        pieces = self.reply.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._held = 0
        if self._paused:
            self._paused = False
            self._heard()
            self._transport.resume_reading()
        return data

    def finish(self) -> bool:
        """Whether it may be kept for the next request: this one left whole, its reply came whole, and nothing after it."""
        reply, self.reply = self.reply, None
        return (
            reply is not None
            and reply.whole
            and reply.reusable
            and not reply.pieces
            and self.broken is None
            and not self._transport.get_write_buffer_size()
        )

    def close(self) -> None:
        self._break("ended")

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received(bytes(self._buffer[:nbytes]))

    def _received(self, data: bytes) -> None:
        reply = self.reply
        if reply is None or reply.whole or self.broken is not None:
            self._break("malformed")  # bytes nobody asked for
            return
        size = len(data)
        self._read += size
        if self._idle_s:
            self._heard()
        try:
            reply.feed(data)
        except NotHttpError:
            self._break("malformed")
            return
        if reply.begun:
            self._wake()
            if reply.pieces and not reply.whole:
                self._hold(size)

    def eof_received(self) -> None:
        reply = self.reply
        if reply is not None and not reply.whole and not reply.end():
            self._break("unseen" if reply.untouched and self._evidence.unseen() else "ended")
        else:
            self._break("ended")

    def connection_lost(self, error: Exception | None) -> None:
        self._break("uncertified" if wants_certificate(error) else "ended")

    # Inside.

    def _break(self, how: Broken) -> None:
        """Once. What came before stays where it is, and a whole reply stays whole."""
        if self.broken is not None:
            return
        self.broken = how
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.reply is not None:
            self.reply.drop()
        self._transport.abort()
        self._gone(self)
        self._wake()

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > _HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _heard(self) -> None:
        if self._idle_s:
            self._deadline = self._loop.time() + self._idle_s

    def _arm(self) -> None:
        """One timer a connection, not one a call: it stays armed from call to call, and looks when it fires."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_later(max(self._deadline - self._loop.time(), _TICK_S), self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self.reply is None or self.reply.whole:
            return  # the next request arms it again
        if self._idle_s and (self._paused or self._is_sending()):
            self._heard()
        if self._loop.time() < self._deadline:
            self._arm()
        else:
            self._break("silent")

    def _is_sending(self) -> bool:
        """Whether more of the request has left since the last look."""
        before, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        return self._unsent < before
