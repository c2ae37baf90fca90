"""One connection of a client: requests one after the other, replies in their order.

Where a reply can be given at once, as a hit can, it is: no task, no queue, one write. A reply that takes its time is
passed on in the turn in which each part of it comes. Answers before the body has come, clients that are slow, read
slowly or leave, and the end of everything are dealt with here; what the bytes mean is ``incoming``'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import UpstreamError
from pennyworth.plan import Limits
from pennyworth.server import reply_bytes
from pennyworth.server.asked import Asked, Door
from pennyworth.server.deadline import Deadline
from pennyworth.server.incoming import Incoming
from pennyworth.server.intake import too_slow
from pennyworth.server.reply_bytes import Dating
from pennyworth.server.request_head import BadHeadError, Head, Heads

KEEP_ALIVE_S = 75.0
"""How long a connection is held on which nothing is asked."""

_LINGER_S = 2.0
"""How long what a client still sends after an early reply is read and dropped: closing at once would reset the
connection, and the reset may overtake the reply (RFC 9112 §9.6)."""


class Connections:
    """All connections of a server, what they have in common, and the wait until they are gone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.heads = Heads()
        self.dating = Dating()
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
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

    def adopt(self, limits: Limits) -> None:
        """For connections to come, and for the next request of those that are there."""
        self.limits = limits
        self.heads.forget()
        for connection in self._open:
            connection.adopt(limits)

    def drain(self) -> None:
        for connection in list(self._open):
            connection.drain()

    def abort(self) -> None:
        for connection in list(self._open):
            connection.abort()

    async def gone(self) -> None:
        await self._empty.wait()


class Connection(asyncio.Protocol):
    """It owes a reply (``busy``), or waits for a request.

    ``_over``: nothing more is answered. ``_leaving``: no more than what is owed. ``_full``: the client reads slowly, so
    that nothing more is written for now. ``_giving`` is the head of the request whose reply is taken from ``_relay``.
    """

    def __init__(self, door: Door, everyone: Connections) -> None:
        self.busy = False
        self._door = door
        self._everyone = everyone
        self._limits = everyone.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._incoming = Incoming(everyone.limits, everyone.heads)
        self._deadline = Deadline(self._loop, self._too_late)
        self._awaits_head = True
        self._previewed: Asked | None = None
        self._reading = True
        self._full = False
        self._leaving = False
        self._over = False
        self._task: asyncio.Task[None] | None = None
        self._relay: Relay | None = None
        self._giving: Head | None = None
        self._begin = b""
        self._streams = False
        self._watches = False

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._everyone.add(self)
        self._deadline.expect(self._limits.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._deadline.close()
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.close()
        self._everyone.discard(self)
        coming = self._incoming.coming
        if coming is not None and coming.caller is not None:
            self._door.left(coming)

    def pause_writing(self) -> None:
        self._full = True
        self._deadline.expect(self._limits.stall_timeout_s)

    def resume_writing(self) -> None:
        self._full = False
        self._deadline.off()
        if self.busy:
            self._advance()
        else:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        if not (self.busy or self._over or self._full) and (known := self._incoming.known(data)):
            self._answer(known)
        else:
            self._incoming.feed(data)
        if not self.busy:
            self._go_on()
        if self._reading and self._incoming.waiting:
            self._reading = False
            self._transport.pause_reading()

    # One request after the other.

    def _go_on(self) -> None:
        """Answers what can be answered, in order; then sees to what is awaited next."""
        incoming = self._incoming
        while incoming.waiting and not (self.busy or self._full or self._over):
            self._answer(incoming.waiting.popleft())
        if self.busy or self._full or self._over:
            return
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if incoming.coming is not None:
            self._preview(incoming.coming)
        elif incoming.bad is not None:
            self._refuse(incoming.bad)
        elif self._leaving:
            self._end()
        else:
            self._listen()

    def _answer(self, asked: Asked) -> None:
        self.busy = True
        self._awaits_head = False
        self._deadline.off()
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
        if self._previewed is asked and asked.fault is None:
            return None
        self._previewed = asked
        try:
            reply = self._door.broken(asked, asked.fault) if asked.fault else self._door.preview(asked)
        except Exception as error:  # as above
            reply = self._door.failed(error)
        if reply is not None:
            return self._answer_early(reply, body=asked.head.method != "HEAD")
        if asked.head.expects:
            self._transport.write(reply_bytes.CONTINUE)
        self._deadline.expect(self._limits.body_timeout_s)
        return None

    def _answered(self, head: Head) -> None:
        """The reply is out, as far as it goes."""
        self.busy = self._streams = False
        self._relay = self._giving = self._task = None
        if not head.keep_alive and not self._over:
            self._end()

    def _listen(self) -> None:
        """Nothing is owed: for the next request, or the rest of its head."""
        if not self._incoming.idle:
            if not self._awaits_head:
                self._awaits_head = True
                self._deadline.expect(self._limits.header_timeout_s)
        elif self._deadline.is_off:
            self._awaits_head = False
            self._deadline.expect(KEEP_ALIVE_S)

    # Replies that take their time.

    async def _await(self, head: Head, answer: Awaitable[Reply | Relay]) -> None:
        try:
            given = await answer
        except Exception as error:  # as above
            given = self._door.failed(error)
        if isinstance(given, Relay):
            return given.close() if self._over else self._give(head, given)
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
        """Gives what there is of the reply; without a task, in the very turn in which it came."""
        relay, head = self._relay, self._giving
        if relay is None or head is None or self._full:
            return
        try:
            given = self._pass_on(relay, head)
        except UpstreamError:
            self._transport.abort()  # half a reply must not pass for a whole one, and it has no words of its own
            given = True
        except Exception as error:  # as above
            self._give_up(head, error)
            given = True
        if given:
            relay.close()
            self._answered(head)
            # What waits behind it may ask the same, and is answered from the cache once the flight has ended its turn.
            self._loop.call_soon(self._go_on) if self._incoming.waiting else self._go_on()
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
            self._begin = reply_bytes.head(reply, self._date(), last=self._ends_with(head), chunks=head.chunks)
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

    def _give_up(self, head: Head, error: Exception) -> None:
        failed = self._door.failed(error)
        if self._streams:
            self._transport.abort()  # half a reply must not pass for a whole one
        else:
            self._write(head, failed)

    # Writing and ending.

    def _write(self, head: Head, reply: Reply) -> None:
        if not self._over:
            last = not head.keep_alive or (self._leaving and not self._incoming.waiting)
            self._transport.write(reply_bytes.whole(reply, self._date(), last=last, body=head.method != "HEAD"))

    def _ends_with(self, head: Head) -> bool:
        """Whether the connection ends with this stream."""
        return not head.keep_alive or not head.chunks or self._leaving

    def _date(self) -> bytes:
        return self._everyone.dating.line()

    def adopt(self, limits: Limits) -> None:
        """Waits by these from now on; the request that is coming in keeps the sizes it began with."""
        self._limits = self._incoming.limits = limits

    def drain(self) -> None:
        """No more requests: it is closed when it owes nothing."""
        self._leaving = True
        if not self.busy and self._incoming.coming is None:
            self._end()

    def abort(self) -> None:
        """Cut, whatever it owes."""
        self._transport.abort()

    def _end(self) -> None:
        """Closes in order, when all that was written is out."""
        self._over = self._incoming.deaf = True
        self._deadline.expect(self._limits.stall_timeout_s)
        self._transport.close()

    def _refuse(self, bad: BadHeadError) -> None:
        self._answer_early(self._door.refuse(Refuse(bad.status, "bad_request_head", bad.message)))

    def _answer_early(self, reply: Reply, *, body: bool = True) -> None:
        """Answers what has not come to its end, which ends the connection: whether the rest still comes cannot be told,
        so what comes next may be a body or a request."""
        self.busy = False
        self._incoming.coming = None
        self._deadline.off()
        if self._over or self._transport.is_closing():
            return
        self._over = self._incoming.deaf = True
        self._transport.write(reply_bytes.whole(reply, self._date(), last=True, body=body))
        self._transport.write_eof()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._loop.call_later(_LINGER_S, self._transport.close)
        self._deadline.expect(self._limits.stall_timeout_s)

    def _too_late(self) -> None:
        """What was expected has not come in time."""
        coming = self._incoming.coming
        if self._full or self._over:
            self.abort()  # what it does not take cannot be delivered, and somebody may be paying for more of it
        elif coming is not None:
            coming.fail(too_slow(self._limits))
            self._preview(coming)
        elif self._incoming.in_head:
            limit = self._limits.header_timeout_s
            words = f"The request head did not come within limits.header_timeout ({limit:g} s). Send it at once."
            self._refuse(BadHeadError(408, words))
        else:
            self._end()  # nothing was asked, or it has been answered: no reply is expected
