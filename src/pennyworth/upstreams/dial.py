"""Opens connections: look-up, TCP with happy eyeballs (RFC 8305), the tunnel through a proxy, TLS. How long that may take
is the caller's business."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import aiohappyeyeballs

from pennyworth.upstreams.connection import READ_BYTES, Connection, Origin
from pennyworth.upstreams.names import Names
from pennyworth.upstreams.proxy import tunnel
from pennyworth.upstreams.road import ProxyError
from pennyworth.upstreams.tls import Contexts

_HEAD_START_S = 0.25
"""Before the next address is tried as well (RFC 8305 §5)."""


Gone = Callable[[Connection], None]
"""Called by a connection when it breaks."""


class Dials(Protocol):
    """Opens connections; what else than sockets there may be, a simulation knows."""

    async def dial(self, origin: Origin) -> Connection:
        """Raises ``UnknownHostError``, ``ProxyError``, ``CertificateFileError`` or ``OSError``."""
        ...


class UnknownHostError(Exception):
    """The name has no address."""


class Dialler:
    """``gone`` is what its connections call when they break."""

    def __init__(self, gone: Gone) -> None:
        self._loop = asyncio.get_running_loop()
        self._names = Names()
        self._contexts = Contexts()
        self._gone = gone
        self._buffer = memoryview(bytearray(READ_BYTES))

    async def dial(self, origin: Origin) -> Connection:
        """Raises ``UnknownHostError``, ``ProxyError``, ``CertificateFileError`` or ``OSError``."""
        context = self._contexts.of(origin.road) if origin.tls else None
        line = await (self._by_proxy(origin) if origin.road.proxy else self._line(origin.host, origin.port))
        _, connection = await self._loop.create_connection(
            lambda: Connection(origin, line, self._gone, self._buffer),
            sock=line,
            ssl=context,
            server_hostname=origin.host if origin.tls else None,
        )
        return connection

    async def _line(self, host: str, port: int) -> socket.socket:
        try:
            addresses = await self._names.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise UnknownHostError from error
        try:
            line = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_HEAD_START_S, interleave=1, loop=self._loop
            )
        except OSError:
            self._names.forget(host, port)
            raise
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    async def _by_proxy(self, origin: Origin) -> socket.socket:
        """A line that leads to the provider where TLS follows; else one to the proxy, which is told whom each call is for."""
        try:
            line = await self._to_proxy(origin.road.proxy)
            if origin.tls:
                await self._through(line, origin)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise  # our own patience
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ProxyError(f"cannot be reached ({why})") from error
        return line

    async def _to_proxy(self, proxy: str) -> socket.socket:
        parts = urlsplit(proxy)
        try:
            return await self._line(parts.hostname or "", parts.port or 80)
        except UnknownHostError:
            raise ProxyError("has a host that is unknown") from None

    async def _through(self, line: socket.socket, origin: Origin) -> None:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        try:
            await tunnel(line, f"{host}:{origin.port}", origin.road.proxy_key)
        except BaseException:
            line.close()
            raise
