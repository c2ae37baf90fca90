"""The socket under a request, for what ASGI cannot say: that the client left, an orderly break, a TCP reset.

uvicorn keeps the transport to itself, so its protocol class is extended by three lines, and the application finds the
``Peer`` of its connection in ``scope["state"]["peer"]``.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_DISCARD = struct.pack("ii", 1, 0)


class Peer:
    """Whoever is at the other end. ``gone``: the connection is lost, whoever broke it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.gone = False
        self._transport = transport
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, seconds: float | None = None) -> bool:
        """Until the time is over or the peer is gone (without ``seconds``: only then); whether it is still there."""
        if self.gone:
            return False
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = None if seconds is None else loop.call_later(max(seconds, 0.0), _wake, waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
        return not self.gone

    async def close(self) -> None:
        """Close in order: what was written still arrives, then the end of the stream."""
        self._transport.close()
        await self.wait()

    async def reset(self) -> None:
        """Break the connection by a TCP RST: closing with a linger time of zero discards and resets (socket(7))."""
        await asyncio.sleep(0)
        if not self.gone:
            twin = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
            twin.close()
        self._transport.abort()
        await self.wait()

    def lost(self) -> None:
        self.gone = True
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a ``Peer`` beside each request."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.peer = Peer(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.peer is not None:
            self.peer.lost()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["peer"] = self.peer
