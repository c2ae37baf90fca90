"""One worker: an engine behind the public door, on a socket that others may share. Drains when told to stop.

A stop closes the listener at once, lets requests finish, and at the deadline ends what is left with an error event:
uvicorn's own graceful shutdown would cut streams without a word.
"""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn

from pennyworth.assemble import Runtime
from pennyworth.plan import Limits, Listen
from pennyworth.server.auth import Gatekeeper
from pennyworth.server.guard import guarded
from pennyworth.server.public import PublicDoor

_AFTER_DEADLINE_S = 3
"""How long error events may take to be written before connections are cut."""


class WorkerServer(uvicorn.Server):
    """uvicorn, told to drain by our rules. ``runtime`` is started and closed by whoever made it."""

    def __init__(self, runtime: Runtime) -> None:
        plan = runtime.state.plan
        self._runtime = runtime
        self._drain_s = plan.limits.drain_s
        super().__init__(_config(PublicDoor(runtime.engine, Gatekeeper(plan, runtime.parts.keyring)), plan.limits))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._runtime.state.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._runtime.state.draining = True
        deadline = asyncio.get_running_loop().create_task(self._end_at_deadline())
        await super().shutdown(sockets)
        deadline.cancel()

    async def _end_at_deadline(self) -> None:
        await asyncio.sleep(self._drain_s)
        await self._runtime.engine.end(f"the gateway is shutting down (limits.drain = {self._drain_s:g} s)")


def bind(listen: Listen) -> socket.socket:
    """A listening socket; worker processes inherit it, so that none of them ever misses a connection.

    Raises:
        OSError: the address is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((listen.host, listen.port))
    listener.listen(1024)
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


def _config(door: PublicDoor, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        door,
        http=guarded(limits),
        loop="uvloop",
        lifespan="off",
        interface="asgi3",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(limits.drain_s) + _AFTER_DEADLINE_S,
    )
