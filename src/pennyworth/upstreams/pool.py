"""Connections that wait for work, by where they lead; the last one back is the first to go out again, so the rest grow
old and are closed. There is no limit on how many: the door limits what comes in.
"""

from __future__ import annotations

import asyncio

from pennyworth.upstreams.connection import Connection, Origin


class Pool:
    """``add`` every new connection; ``take`` one, ``give_back`` what was taken or added, whatever became of it."""

    def __init__(self, idle_s: float) -> None:
        """``idle_s``: how long a connection may wait for work."""
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, connection: Connection) -> None:
        """Takes note of it, so that ``close`` finds it."""
        if self._closed:
            connection.close()
        elif connection.broken is None:
            self._all.add(connection)

    def take(self, origin: Origin) -> Connection | None:
        """One that is fit to be written to, closing those that are not."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.at_rest():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        if not connection.finish() or self._closed:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = []
        idle.append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(self._idle_s, self._sweep)

    def gone(self, connection: Connection) -> None:
        """It broke, wherever it was."""
        self._all.discard(connection)
        idle = self._idle.get(connection.origin, ())
        if connection in idle:
            self._idle[connection.origin].remove(connection)

    def close(self) -> None:
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._all):
            connection.close()

    def _sweep(self) -> None:
        """One timer for all of them: it closes what is old, and comes again when the next one will be."""
        now = self._loop.time()
        for connection in [one for idle in self._idle.values() for one in idle if now - one.idle_since >= self._idle_s]:
            connection.close()
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        oldest = min((idle[0].idle_since for idle in self._idle.values()), default=None)
        self._sweeping = None
        if oldest is not None:
            self._sweeping = self._loop.call_later(max(oldest + self._idle_s - now, 0.001), self._sweep)
