"""May a request be sent again because its pooled connection was dead? Only when the provider cannot have seen it.

A POST that is repeated may be paid for twice, so aiohttp never repeats one (RFC 9110 §9.2.2). Two cases are certain
all the same, and Linux tells them by TCP_INFO: the connection is found ended before a byte is written; or the provider
ended it in order (a FIN) having acknowledged nothing of the request. A reset proves nothing: it overtakes
acknowledgements. Elsewhere than on Linux nothing is certain, and nothing is repeated.
"""

from __future__ import annotations

import os
import socket
import struct

import aiohttp
from aiohttp.connector import Connection

_TCP_INFO = getattr(socket, "TCP_INFO", 0)
_INFO_BYTES = 192
_STATE, _ACKNOWLEDGED = struct.Struct("B"), struct.Struct("120xQ")
"""Where they stand in ``struct tcp_info`` (linux/tcp.h; it only ever grows at its end)."""

_ESTABLISHED = 1


class UnseenError(aiohttp.ClientConnectionError):
    """The connection was dead, and the provider has seen nothing of the request."""


class PooledRequest(aiohttp.ClientRequest):
    """Looks at the connection it is about to use."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        watch = _look(conn)
        try:
            response = await super().send(conn)
        except BaseException:
            if watch is not None:
                watch.close()
            raise
        if isinstance(response, PooledResponse):
            response.watch = watch
        return response


class PooledResponse(aiohttp.ClientResponse):
    """Tells a connection that died unused from one that broke under the request."""

    watch: _Watch | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        try:
            return await super().start(connection)
        except aiohttp.ServerDisconnectedError as error:
            if self.watch is not None and self.watch.unseen():
                raise UnseenError(str(error)) from error
            raise
        finally:
            if self.watch is not None:
                self.watch.close()
                self.watch = None


class _Watch:
    """The socket of a connection in use, kept open a little longer than aiohttp does: until the reply has begun."""

    def __init__(self, line: socket.socket, info: bytes) -> None:
        self._twin = os.dup(line.fileno())
        self._acknowledged = _read(_ACKNOWLEDGED, info)

    def unseen(self) -> bool:
        """Whether nothing that was sent since has been acknowledged."""
        line = socket.socket(fileno=os.dup(self._twin))
        try:
            return _read(_ACKNOWLEDGED, _info(line)) == self._acknowledged
        finally:
            line.close()

    def close(self) -> None:
        os.close(self._twin)


def _look(conn: Connection) -> _Watch | None:
    """Raises ``UnseenError`` for a connection that has ended, or that holds bytes nobody asked for: they would be taken
    for the reply to this request (response queue poisoning)."""
    transport, protocol = conn.transport, conn.protocol
    if transport is None or transport.is_closing() or protocol is None or protocol.should_close:
        raise UnseenError("it was closed while it waited for work")
    line = transport.get_extra_info("socket")
    if not _TCP_INFO or line is None:
        return None
    info = _info(line)
    if _read(_STATE, info) != _ESTABLISHED:
        raise UnseenError("the provider had closed it")
    return _Watch(line, info)


def _info(line: socket.socket) -> bytes:
    return line.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_BYTES)


def _read(field: struct.Struct, info: bytes) -> int:
    return int(field.unpack_from(info)[0])
