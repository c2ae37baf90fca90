"""Connects the gateway's own HTTP client to simulated providers, and answers what it would ask a kernel (``TCP_INFO``)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import cast

from pennyworth.simulation.network import Network
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wire import End
from pennyworth.upstreams.connection import READ_BYTES, Connection, Origin

_INFO = struct.Struct("B23xI92xQQ")
_ESTABLISHED, _CLOSE_WAIT = 1, 8


class Line:
    """In place of a socket. What counts as acknowledged is what the provider was given; Linux counts from 1."""

    def __init__(self) -> None:
        self.end: End | None = None

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        end = self.end
        if end is None or end.lost:
            raise OSError(9, "closed")
        state = _CLOSE_WAIT if end.got_fin else _ESTABLISHED
        return _INFO.pack(state, int(not end.arrived), end.delivered + 1, end.peer.delivered)


class SimulatedDialler:
    """``dial`` raises ``OSError``, or never returns."""

    def __init__(self, network: Network, weather: Weather, gone: Callable[[Connection], None]) -> None:
        self._network = network
        self._weather = weather
        self._gone = gone
        self._buffer = memoryview(bytearray(READ_BYTES))

    async def dial(self, origin: Origin) -> Connection:
        line = Line()
        connection = Connection(origin, cast(socket.socket, line), self._gone, self._buffer)
        line.end = await self._network.connect(origin.host, connection, self._weather)
        return connection
