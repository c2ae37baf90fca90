"""A wire in memory between two protocols: asyncio transports on both ends, TCP's habits between them.

Bytes come late and in pieces, the receiver may not read, the sender then has to wait, either side may close in order,
close one direction, or go without a word. What was written before an orderly end arrives; what follows one is answered
by a reset, as a kernel does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from itertools import pairwise
from typing import Any

from pennyworth.simulation.process import Process
from pennyworth.simulation.weather import Fate, Weather

_HIGH = 64 * 1024
_LOW = 16 * 1024


class _Sign:
    """What travels on a wire besides bytes."""


_FIN = _Sign()
_RST = _Sign()


class End(asyncio.Transport):
    """One end of a wire. ``process``: whose it is; ``None`` for clients and providers, which never die.

    Attributes:
        sent, delivered: bytes written here, and those of them that the other protocol was given.
        lost: its protocol has been told that the connection is gone, or is about to be.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: Any,
        process: Process | None,
        outside: Context,
        fate: Fate,
        weather: Weather,
    ) -> None:
        """``outside``: the context of what belongs to no process."""
        super().__init__()
        self.sent = 0
        self.delivered = 0
        self.lost = False
        self.got_fin = False
        self.peer: End
        self._loop = loop
        self._protocol = protocol
        self._process = process
        self._outside = outside
        self._context = process.context if process else outside
        self._fate = fate
        self._chance = weather.chance
        self._way: deque[tuple[float, bytes | _Sign]] = deque()
        self._pending = 0
        self._last = 0.0
        self._timer = False
        self._closing = False
        self._ended = False
        self._full = False
        self._reading = True
        self._high, self._low = _HIGH, _LOW
        if process is not None:
            process.open[self] = None

    # What a protocol asks of its transport.

    def write(self, data: Any) -> None:
        if self._closing or self._ended or self.lost or not data:
            return
        fate, data = self._fate, bytes(data)
        breaks = 0 <= fate.breaks_at < self.sent + len(data)
        if breaks:
            data = data[: max(fate.breaks_at - self.sent, 0)]
        if 0 <= fate.stalls_at < self.sent + len(data):
            self._last = max(self._last, self._loop.time()) + fate.stall_s
            self._fate = fate = fate._replace(stalls_at=-1)
        self.sent += len(data)
        if data:
            self._pending += len(data)
            for piece in self._cut(data) if fate.pieces > 1 else (data,):
                self._send(piece)
        if breaks:
            self._break()
        elif not self._full and self._waiting() > self._high:
            self._full = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if not (self._ended or self._closing or self.lost):
            self._ended = True
            self._send(_FIN)

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if self._closing or self.lost:
            return
        self._closing = True
        if not self._ended:
            self._ended = True
            self._send(_FIN)
        if not self._waiting():
            self._lose(None)

    def abort(self) -> None:
        """Whether the other side hears of an end or of a reset is the kernel's business: it depends on what was unread."""
        if self.lost:
            return
        self._closing = True
        self._drop_unsent()
        if not self._ended:
            self._ended = True
            self._send(_RST if self._chance.random() < 0.5 else _FIN)
        self._lose(None)

    def is_closing(self) -> bool:
        return self._closing or self.lost

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self.peer._arm()

    def is_reading(self) -> bool:
        return self._reading

    def get_write_buffer_size(self) -> int:
        return self._waiting()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    # What the kernel does.

    def cut(self) -> None:
        """Its process has died: it is closed, and nobody is told here."""
        self._leave_process()
        if not self.lost:
            self.lost = self._closing = True
            self._drop_unsent()
            self._send(_RST if self._chance.random() < 0.5 else _FIN)
            self.peer._arm()

    def _leave_process(self) -> None:
        """It is the kernel's from now on: what was to be delivered to it finds nobody, whether its process lives or not."""
        self._context = self._outside
        if self.peer._timer:
            self.peer._timer = False
            self.peer._arm()

    @property
    def _takes(self) -> bool:
        """What has not been read when an end is gone never will be: the kernel answers for it, as for what comes later
        (RFC 9293 §3.10.7.1: a closed connection answers by a reset). An end that only does not read makes it wait."""
        return self._reading or self.lost

    @property
    def arrived(self) -> bool:
        """Everything written here has been given to the other side."""
        return self.delivered == self.sent

    def _cut(self, data: bytes) -> list[bytes]:
        marks = sorted(self._chance.randrange(len(data) + 1) for _ in range(self._chance.randrange(self._fate.pieces)))
        edges = [0, *marks, len(data)]
        return [data[a:b] for a, b in pairwise(edges) if a < b]

    def _send(self, what: bytes | _Sign) -> None:
        fate = self._fate
        when = self._loop.time() + fate.latency_s
        if fate.jitter_s:
            when += self._chance.random() * fate.jitter_s
        self._last = when = max(self._last, when)
        self._way.append((when, what))
        self._arm()

    def _waiting(self) -> int:
        return max(0, self._pending - self._fate.window)

    def _drop_unsent(self) -> None:
        """What the kernel has not taken yet is never sent."""
        surplus = self._waiting()
        while surplus > 0 and self._way:
            when, last = self._way.pop()
            if isinstance(last, bytes):
                kept = last[: max(0, len(last) - surplus)]
                surplus -= len(last) - len(kept)
                self._pending -= len(last) - len(kept)
                if kept:
                    self._way.append((when, kept))

    def _break(self) -> None:
        """The wire is gone: what had gone before may still arrive, then both sides hear of it."""
        self._closing = self._ended = True
        self._send(_RST)
        self._lose(ConnectionResetError(104, "reset"))

    def _arm(self) -> None:
        if self._way and not self._timer and self.peer._takes:
            self._timer = True
            self._loop.call_at(self._way[0][0], self._arrive, context=self.peer._context)

    def _arrive(self) -> None:
        """Runs as the receiver: what it makes of the bytes is its own work."""
        self._timer = False
        now, way, peer = self._loop.time(), self._way, self.peer
        while way and way[0][0] <= now and peer._takes:
            _, what = way.popleft()
            if isinstance(what, bytes):
                self._pending -= len(what)
                self._hand_over(what)
            elif what is _FIN:
                peer._hear_end()
            else:
                peer._hear_reset()
        if self._full and self._waiting() <= self._low:
            self._full = False
            self._loop.call_soon(self._resume, context=self._context)
        if self._closing and not self.lost and not self._waiting():
            self._lose(None)
        self._arm()

    def _hand_over(self, data: bytes) -> None:
        peer = self.peer
        if peer.lost or peer._closing:
            if not self.lost:  # nobody reads there any more: the kernel says so
                self._loop.call_soon(self._hear_reset, context=self._context)
            return
        if isinstance(peer._protocol, asyncio.BufferedProtocol):
            self._fill(peer, peer._protocol, memoryview(data))
        else:
            self.delivered += len(data)
            peer._protocol.data_received(data)

    def _fill(self, peer: End, protocol: asyncio.BufferedProtocol, data: memoryview) -> None:
        """As much as its buffer takes, as often as it reads; the rest comes when it reads again."""
        while data and not peer.is_closing():
            if not peer._reading:
                self._pending += len(data)
                self._way.appendleft((self._loop.time(), bytes(data)))
                return
            buffer = memoryview(protocol.get_buffer(len(data)))
            taken = min(len(buffer), len(data))
            buffer[:taken] = data[:taken]
            data = data[taken:]
            self.delivered += taken
            protocol.buffer_updated(taken)

    def _hear_end(self) -> None:
        self.got_fin = True
        if not (self.lost or self._closing) and not self._protocol.eof_received():
            self.close()

    def _hear_reset(self) -> None:
        self._way.clear()
        self._pending = 0
        self._closing = True
        self._lose(ConnectionResetError(104, "reset"))

    def _resume(self) -> None:
        if not self.lost:
            self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self._loop.call_soon(self._forget, error, context=self._context)
            self.peer._arm()

    def _forget(self, error: Exception | None) -> None:
        if self._process is not None:
            self._process.open.pop(self, None)
            self._leave_process()
        self._protocol.connection_lost(error)
