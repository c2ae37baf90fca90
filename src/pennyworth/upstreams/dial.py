"""Opens connections: look-up, TCP with happy eyeballs (RFC 8305), TLS. How long that may take is the caller's business."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import cached_property

import aiohappyeyeballs

from pennyworth.upstreams.connection import Connection, Origin
from pennyworth.upstreams.names import Names

_HEAD_START_S = 0.25
"""Before the next address is tried as well (RFC 8305 §5)."""


class UnknownHostError(Exception):
    """The name has no address."""


class Dialler:
    """``gone`` is what its connections call when they break."""

    def __init__(self, gone: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._names = Names()
        self._gone = gone

    async def dial(self, origin: Origin) -> Connection:
        """Raises ``UnknownHostError`` or ``OSError``."""
        try:
            addresses = await self._names.addresses(origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            raise UnknownHostError from error
        try:
            line = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_HEAD_START_S, interleave=1, loop=self._loop
            )
        except OSError:
            self._names.forget(origin.host, origin.port)
            raise
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, connection = await self._loop.create_connection(
            lambda: Connection(origin, line, self._gone),
            sock=line,
            ssl=self._tls if origin.tls else None,
            server_hostname=origin.host if origin.tls else None,
        )
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """With the system's authorities; made on the first call that needs them."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
