"""One connection of a client: bytes in, requests one after the other, replies in their order.

Where a reply can be given at once, as a hit can, it is: no task, no queue, one write. Everything that can go wrong in
HTTP ends here: slow, huge and broken requests, answers before the body has come, clients that read slowly or leave.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable
from typing import Protocol

import httptools

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.plan import Limits
from pennyworth.request import Caller
from pennyworth.server import reply_bytes
from pennyworth.server.intake import too_large, too_slow
from pennyworth.server.reply_bytes import Dating
from pennyworth.server.request_head import BadHeadError, Head, Heads, Pairs, malformed, read_head

KEEP_ALIVE_S = 75.0
"""How long a connection is held on which nothing is asked."""

_LINGER_S = 2.0
"""How long what a client still sends after an early reply is read and dropped: closing at once would reset the
connection, and the reset may overtake the reply (RFC 9112 §9.6)."""

_UPGRADES = (b"connection", b"upgrade", b"http2-settings")


class Asked:
    """A request as it comes in.

    Attributes:
        caller: who asks, once the door has found out.
        fault: why its body cannot be had, if so: the door refuses it, and nothing after it is read.
    """

    __slots__ = ("_parts", "caller", "fault", "head", "size")

    def __init__(self, head: Head, body: bytes = b"") -> None:
        self.head = head
        self.caller: Caller | None = None
        self.fault: RequestError | None = None
        self.size = len(body)
        self._parts = [body] if body else []

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self._parts.append(part)

    def fail(self, fault: RequestError) -> None:
        self.fault = fault
        self._parts.clear()

    @property
    def body(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Door(Protocol):
    """Who answers. All but what ``answer`` may return is done at once.

    - ``preview``: what can be said by the head alone, before the body has come: a refusal, or nothing.
    - ``answer``: the reply to a whole request, at once, as a relay to read it from, or in a while.
    - ``broken``: the reply to a request whose body has a ``fault``.
    - ``left``: the caller went before the body had come.
    - ``refuse``: a reply to what cannot be read at all. ``failed``: the reply when the door itself fails.
    """

    def preview(self, asked: Asked) -> Reply | None: ...

    def answer(self, asked: Asked) -> Reply | Relay | Awaitable[Reply | Relay]: ...

    def broken(self, asked: Asked, fault: RequestError) -> Reply: ...

    def left(self, asked: Asked) -> None: ...

    def refuse(self, no: Refuse) -> Reply: ...

    def failed(self, error: Exception) -> Reply: ...


class Connection(asyncio.Protocol):
    """Its requests wait in ``_waiting`` until the replies before theirs are out; ``_coming`` is the one whose body is on
    its way. ``_deaf``: nothing more is read, because it cannot be told where the next request begins. ``_over``:
    nothing more is answered either.

    Attributes:
        busy: a reply is owed.
    """

    def __init__(self, door: Door, limits: Limits, dating: Dating, heads: Heads, everyone: Connections) -> None:
        self.busy = False
        self._door = door
        self._limits = limits
        self._dating = dating
        self._heads = heads
        self._everyone = everyone
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Asked] = deque()
        self._coming: Asked | None = None
        self._previewed = False
        self._bad: BadHeadError | None = None
        self._relay: Relay | None = None
        self._giving: Head | None = None
        self._begin = b""
        self._streams = False
        self._watches = False
        self._task: asyncio.Task[None] | None = None
        self._target = b""
        self._pairs: Pairs = []
        self._in_head = False
        self._head_bytes = 0
        self._framing_bytes = 0
        self._deaf = False
        self._over = False
        self._gone = False
        self._leaving = False
        self._reading = True
        self._full = False
        self._awaits_head = True
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    # --- the transport's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._everyone.add(self)
        self._expect(self._limits.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = self._over = True
        self._due = math.inf
        if self._timer is not None:
            self._timer.cancel()
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.close()
        self._waiting.clear()
        coming, self._coming = self._coming, None
        if coming is not None and coming.caller is not None:
            self._door.left(coming)
        self._everyone.discard(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self.busy:
            self._advance()
        else:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        begins = not (self.busy or self._waiting or self._coming or self._in_head or self._head_bytes)
        if begins and (known := self._heads.known(data)):
            self._answer(Asked(*known))
            if not self.busy:
                self._go_on()
            return
        self._read(data)
        if begins and len(self._waiting) == 1 and not (self._coming or self._in_head or self._head_bytes):
            self._heads.learn(data, self._waiting[0].head)
        if not self.busy:
            self._go_on()
        if self._waiting and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _read(self, data: bytes) -> None:
        if self._coming is None:
            self._head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
        try:
            self._parse(data)
            self._check_sizes()
        except BadHeadError as error:
            self._cannot_read(error)
        except httptools.HttpParserError as error:
            self._cannot_read(malformed(error, data))

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse(self._head_without_upgrade() + data[int(upgrade.args[0]) :])

    def _head_without_upgrade(self) -> bytes:
        """The head just read, as if no other protocol had been asked for, which RFC 9110 §7.8 allows; for a parser that
        would take the body for that protocol. (Java's client and curl --http2 ask for h2c in their first request.)"""
        version = self._parser.get_http_version().encode()
        start = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, version)
        lines = [start, *(b"%b: %b" % pair for pair in self._pairs if pair[0] not in _UPGRADES)]
        self._parser = httptools.HttpRequestParser(self)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # --- the parser's calls

    def on_message_begin(self) -> None:
        self._in_head = True
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
        if parser.should_upgrade():
            return  # to be read once more, without that wish
        self._coming = Asked(head)
        self._previewed = False

    def on_body(self, body: bytes) -> None:
        asked = self._coming
        if asked is None or asked.fault is not None:
            return
        self._framing_bytes = 0
        asked.add(body)
        if asked.size > self._limits.max_body_bytes:
            asked.fail(too_large(self._limits))

    def on_message_complete(self) -> None:
        if self._coming is not None:  # it is, for a head that is read once more
            self._waiting.append(self._coming)
            self._coming = None

    # --- one request after the other

    def _go_on(self) -> None:
        """Answers what can be answered, in order; then says what is awaited next, and for how long."""
        while self._waiting and not (self.busy or self._full or self._over):
            self._answer(self._waiting.popleft())
        if self.busy or self._full or self._over:
            return
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if self._coming is not None:
            self._preview(self._coming)
        elif self._bad is not None:
            self._refuse(self._bad)
        elif self._leaving:
            self._end()
        else:
            self._listen()

    def _answer(self, asked: Asked) -> None:
        self.busy = True
        self._awaits_head = False
        self._due = math.inf
        try:
            if asked.fault is not None:
                return self._answer_early(self._door.broken(asked, asked.fault))
            answer = self._door.answer(asked)
        except Exception as error:  # the edge: a defect of ours is answered as JSON too, and told in one line
            answer = self._door.failed(error)
        if isinstance(answer, Reply):
            self._write(asked.head, answer)
            self._answered(asked.head)
        elif isinstance(answer, Relay):
            self._give(asked.head, answer)
        else:
            self._task = self._loop.create_task(self._await(asked.head, answer))
        return None

    def _preview(self, asked: Asked) -> None:
        """Its body is not there yet, and nothing is owed before it: perhaps it need not come."""
        if asked.fault is not None:
            return self._answer_early(self._door.broken(asked, asked.fault))
        if self._previewed:
            return None
        self._previewed = True
        try:
            reply = self._door.preview(asked)
        except Exception as error:  # as above
            reply = self._door.failed(error)
        if reply is not None:
            return self._answer_early(reply, body=asked.head.method != "HEAD")
        if asked.head.expects:
            self._transport.write(reply_bytes.CONTINUE)
        self._expect(self._limits.body_timeout_s)
        return None

    def _answered(self, head: Head) -> None:
        """The reply is out, as far as it goes."""
        self.busy = self._streams = False
        self._relay = self._giving = self._task = None
        if not head.keep_alive and not self._over:
            self._end()

    def _listen(self) -> None:
        """Nothing is owed: for the next request, or the rest of its head."""
        if self._in_head or self._head_bytes:
            if not self._awaits_head:
                self._awaits_head = True
                self._expect(self._limits.header_timeout_s)
        elif self._due == math.inf:
            self._awaits_head = False
            self._expect(KEEP_ALIVE_S)

    # --- replies that take their time

    async def _await(self, head: Head, answer: Awaitable[Reply | Relay]) -> None:
        try:
            given = await answer
        except Exception as error:  # as above
            given = self._door.failed(error)
        if isinstance(given, Relay):
            if self._gone:
                return given.close()
            return self._give(head, given)
        self._write(head, given)
        self._answered(head)
        return self._go_on()

    def _give(self, head: Head, relay: Relay) -> None:
        self._relay, self._giving, self._begin = relay, head, b""
        self._advance()

    def _stirred(self) -> None:
        self._watches = False
        self._advance()

    def _advance(self) -> None:
        """Gives what there is of the reply, as it comes; without a task, in the very turn in which it came."""
        relay, head = self._relay, self._giving
        if relay is None or head is None or self._full:
            return
        try:
            given = self._pass_on(relay, head)
        except Exception as error:  # as above
            self._give_up(head, error)
            given = True
        if given:
            relay.close()
            self._answered(head)
            # What waits behind it may ask the same, and is answered from the cache if the flight ends its turn first.
            self._loop.call_soon(self._go_on) if self._waiting else self._go_on()
        elif not (self._watches or self._full):
            self._watches = True
            relay.watch(self._stirred)

    def _pass_on(self, relay: Relay, head: Head) -> bool:
        """Whether the reply is out."""
        if not self._streams:
            reply = relay.begun()
            if reply is None:
                return False
            if not reply.more:
                self._write(head, reply)
                return True
            last = self._ends_with(head)
            self._begin = reply_bytes.head(reply, self._dating.line(), last=last, chunks=head.chunks)
            self._streams = True
        while block := relay.take():
            self._transport.write(self._begin + (reply_bytes.chunk(block) if head.chunks else block))
            self._begin = b""
            if self._full:
                return False
        if block is None:
            return False
        if end := self._begin + (reply_bytes.LAST_CHUNK if head.chunks else b""):
            self._transport.write(end)
        if self._ends_with(head):
            self._end()
        return True

    def _ends_with(self, head: Head) -> bool:
        """Whether the connection ends with this stream."""
        return not head.keep_alive or not head.chunks or self._leaving

    def _give_up(self, head: Head, error: Exception) -> None:
        failed = self._door.failed(error)
        if self._streams:
            self._transport.abort()  # half a reply must not pass for a whole one
        else:
            self._write(head, failed)

    def _write(self, head: Head, reply: Reply) -> None:
        if not self._gone:
            last = not head.keep_alive or (self._leaving and not self._waiting)
            body = head.method != "HEAD"
            self._transport.write(reply_bytes.whole(reply, self._dating.line(), last=last, body=body))

    # --- endings

    def _end(self) -> None:
        """Closes in order, when all that was written is out."""
        self._deaf = self._over = True
        self._transport.close()

    def drain(self) -> None:
        """No more requests: it is closed when it owes nothing."""
        self._leaving = True
        if not self.busy and self._coming is None:
            self._end()

    def abort(self) -> None:
        """Cut, whatever it owes."""
        self._transport.abort()

    def _cannot_read(self, error: BadHeadError) -> None:
        """What comes next is no request. Said after the replies that are owed, for another order would give one
        caller's to another; in the middle of a body the door says it, in its turn."""
        self._deaf = True
        coming, self._coming = self._coming, None
        if coming is None:
            self._bad = error
        else:
            coming.fail(coming.fault or RequestError(error.message, code="broken_body"))
            self._waiting.append(coming)

    def _refuse(self, bad: BadHeadError) -> None:
        self._answer_early(self._door.refuse(Refuse(bad.status, "bad_request_head", bad.message)))

    def _answer_early(self, reply: Reply, *, body: bool = True) -> None:
        """Answers what has not come to its end, which ends the connection: whether the rest still comes cannot be told,
        so what comes next may be a body or a request."""
        self.busy = False
        self._deaf = self._over = True
        self._coming = None
        self._waiting.clear()
        self._due = math.inf
        if self._gone or self._transport.is_closing():
            return
        self._transport.write(reply_bytes.whole(reply, self._dating.line(), last=True, body=body))
        self._transport.write_eof()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._loop.call_later(_LINGER_S, self._transport.close)

    def _check_sizes(self) -> None:
        """Asked after parsing, when what has gone into a body no longer counts as head or framing."""
        most = self._limits.max_header_bytes
        if self._coming is not None:
            if self._framing_bytes > most:
                raise BadHeadError(431, f"The trailers or chunk extensions are larger than {most} bytes.")
        elif self._head_bytes > most:
            raise BadHeadError(431, f"The request head is larger than {most} bytes.")

    # --- time. One timer that looks when it is due, instead of one that is set for each request

    def _expect(self, seconds: float) -> None:
        """Something is to come within this time."""
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._due == math.inf or self._gone:
            return
        if self._loop.time() < self._due:
            self._set_timer()
        else:
            self._too_late()

    def _too_late(self) -> None:
        asked = self._coming
        if asked is not None:
            asked.fail(too_slow(self._limits))
            self._preview(asked)
        elif self._in_head:
            limit = self._limits.header_timeout_s
            words = f"The request head did not come within limits.header_timeout ({limit:g} s). Send it at once."
            self._refuse(BadHeadError(408, words))
        else:
            self._end()  # nothing was asked, or it has been answered: no reply is expected


class Connections:
    """All connections of a server, and the wait until they are gone."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """Requests whose reply has not gone out whole."""
        return sum(connection.busy for connection in self._open)

    def add(self, connection: Connection) -> None:
        self._open.add(connection)
        self._empty.clear()

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    def drain(self) -> None:
        for connection in list(self._open):
            connection.drain()

    def abort(self) -> None:
        for connection in list(self._open):
            connection.abort()

    async def gone(self) -> None:
        await self._empty.wait()
