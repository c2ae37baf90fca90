"""The addresses of hosts, asked for once a minute however many connections are opened meanwhile."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

_FRESH_S = 60.0
_MOST = 256
"""Only hosts of configured base URLs come here; many reloads must not make it grow."""

Address = tuple[int, int, int, str, Any]
"""A row of ``getaddrinfo``."""

_Where = tuple[str, int]


class Names:
    """``addresses`` raises what ``getaddrinfo`` does; a failure is not remembered."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._known: dict[_Where, tuple[float, asyncio.Task[list[Address]]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def addresses(self, host: str, port: int) -> list[Address]:
        """In the system's order, a step further each time: a provider with several shares us out among them."""
        where = (host, port)
        now = self._loop.time()
        until, asking = self._known.get(where, (now, None))
        if asking is None or until <= now:
            if len(self._known) >= _MOST:
                self._known.clear()
            asking = self._loop.create_task(self._ask(where))
            self._known[where] = (now + _FRESH_S, asking)
        found = await asyncio.shield(asking)
        given = list(found)
        found.append(found.pop(0))
        return given

    def forget(self, host: str, port: int) -> None:
        """Its addresses did not answer."""
        self._known.pop((host, port), None)

    async def _ask(self, where: _Where) -> list[Address]:
        try:
            found = await self._loop.getaddrinfo(*where, type=socket.SOCK_STREAM)
        except BaseException:
            self._known.pop(where, None)
            raise
        return list(found)
