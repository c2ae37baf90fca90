"""A listening socket with connections behind it, from ``start`` to the last connection's end."""

from __future__ import annotations

import socket

from pennyworth.plan import Limits
from pennyworth.server.asked import Door
from pennyworth.server.connection import Connection, Connections
from pennyworth.server.listening import Closes, listen


class HttpServer:
    """Serves a door in the running loop."""

    def __init__(self, door: Door, limits: Limits) -> None:
        self.connections = Connections(limits)
        self._door = door
        self._listening: Closes | None = None

    async def start(self, listener: socket.socket) -> None:
        """Returns when connections are accepted. Those that came before have waited in the socket."""
        self._listening = await listen(listener, self._connection)

    def adopt(self, limits: Limits) -> None:
        self.connections.adopt(limits)

    def drain(self) -> None:
        """Accepts no more, and closes each connection once it owes nothing."""
        if self._listening is not None:
            self._listening.close()
        self.connections.drain()

    async def gone(self) -> None:
        """Waits until no connection is left."""
        await self.connections.gone()

    def abort(self) -> None:
        """Cuts what is left."""
        self.connections.abort()

    def _connection(self) -> Connection:
        return Connection(self._door, self.connections)
