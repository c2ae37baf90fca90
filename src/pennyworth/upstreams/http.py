"""Calls providers over HTTP/1.1: kept connections, no redirects, no cookies, no compression.

Base URLs come from the configuration alone, so a request can choose its model but never its host. The client is our own
because of what a call costs: 13 µs of CPU, where a bare protocol costs 7 and aiohttp 65 (32 callers, small JSON, uvloop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pennyworth.errors import UpstreamError
from pennyworth.ports import Call
from pennyworth.upstreams import road
from pennyworth.upstreams.connection import Connection, Origin
from pennyworth.upstreams.dial import Dialler, Dials, Gone, UnknownHostError
from pennyworth.upstreams.pool import Pool
from pennyworth.upstreams.reply import Reply
from pennyworth.upstreams.request_head import Sites


class HttpUpstream:
    """One pool of connections for all providers. Make it inside the event loop that will use it."""

    def __init__(self, idle_s: float = 30.0, dialler: Callable[[Gone], Dials] = Dialler) -> None:
        """``idle_s``: how long a connection is kept that nobody uses. ``dialler``: makes what opens connections."""
        self._loop = asyncio.get_running_loop()
        self._sites = Sites()
        self._pool = Pool(idle_s)
        self._dialler = dialler(self._pool.gone)

    async def open(self, call: Call) -> HttpExchange:
        started = self._loop.time()
        site = self._sites.of(call)
        head = site.head(call)
        connection = self._pool.take(site.origin)
        if connection is not None:
            reply = await _ask(connection, head, call, started)
            if connection.broken != "unseen":
                return self._exchange(connection, reply, call)
        connection = await self._dial(site.origin, call)
        reply = await _ask(connection, head, call, started)
        return self._exchange(connection, reply, call)

    async def close(self) -> None:
        self._pool.close()
        await asyncio.sleep(0)  # in which the event loop closes the sockets

    async def _dial(self, origin: Origin, call: Call) -> Connection:
        provider = call.target.provider
        patience_s = provider.connect_s if call.stream else min(provider.connect_s, _total_s(call))
        try:
            async with asyncio.timeout(patience_s):
                connection = await self._dialler.dial(origin)
        except UnknownHostError as error:
            raise road.unknown_host(call) from error
        except road.ProxyError as error:
            raise road.barred(error, call) from error
        except road.CertificateFileError as error:
            raise road.no_certificate(error, call) from error
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:  # ours, not the kernel's
                raise road.connect_timed_out(call) from error
            raise road.not_connected(error, call) from error
        self._pool.add(connection)
        return connection

    def _exchange(self, connection: Connection, reply: Reply, call: Call) -> HttpExchange:
        by_proxy = reply.begun and reply.status == 407 and connection.origin.road.proxy
        if reply.begun and not reply.encoding and not by_proxy:
            return HttpExchange(connection, reply, call, self._pool)
        connection.close()
        if by_proxy:
            raise road.barred(road.unknown_to_proxy(), call)
        if reply.begun:
            raise road.compressed(reply.encoding, call)
        raise road.broken_off(connection.broken or "ended", call, begun=False)


class HttpExchange:
    """A reply whose head has come."""

    __slots__ = ("_call", "_connection", "_pool", "_reply", "headers", "status")

    def __init__(self, connection: Connection, reply: Reply, call: Call, pool: Pool) -> None:
        self.status: int = reply.status
        self.headers: Sequence[tuple[str, str]] = reply.headers
        self._reply = reply
        self._call = call
        self._pool = pool
        self._connection: Connection | None = connection

    async def read(self) -> bytes:
        connection, reply = self._connection, self._reply
        while connection is not None:
            if reply.pieces:
                return connection.take()
            if reply.whole:
                return b""
            if connection.broken is not None:
                raise self._broken_off(connection.broken)
            await connection.news()
        if reply.whole and not reply.pieces:
            return b""
        raise self._broken_off("ended")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)

    def _broken_off(self, how: road.Broken) -> UpstreamError:
        return road.broken_off(how, self._call, begun=True)


def _total_s(call: Call) -> float:
    """For a whole reply."""
    total_s = call.target.provider.total_s
    return min(total_s, call.within_s) if call.within_s else total_s


async def _ask(connection: Connection, head: bytes, call: Call, started: float) -> Reply:
    """The reply when it has begun, or when it never will."""
    idle_s = call.target.provider.idle_s if call.stream else 0.0
    reply = connection.send(head, call.body, started + _total_s(call), idle_s, bodiless=call.method == "HEAD")
    try:
        while not reply.begun and connection.broken is None:
            await connection.news()
    except BaseException:  # the caller left; nobody will read what comes
        connection.close()
        raise
    return reply
