"""Lets in those who connect, several in a turn of the loop.

uvloop accepts one connection a turn (0.23: 500 were waiting, 501 turns). A busy gateway's turns are long, so in a crowd
the kernel's queue overflows, and whoever is dropped from it gets no answer at all, not even that he should come back.
Accepting ourselves costs 11 µs a connection more (29 before), and nothing for a request on one that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol

from pennyworth.server.process import accepts_one_a_turn

BACKLOG = 1024

_A_TURN = 16
"""Let in a turn, at most: the other workers have their share of a crowd, and those who are in are not kept waiting. With
64 the admin port took seconds to answer in an overload on a starved core, with 16 a tenth of one."""

_NO_FILES_S = 0.25
"""Until we look again when the system has no file or memory for a connection. Those who come meanwhile wait in its queue."""


class Closes(Protocol):
    """``close``: nobody else is let in."""

    def close(self) -> None: ...


async def listen(listener: socket.socket, made: Callable[[], asyncio.Protocol]) -> Closes:
    """Connections to ``listener`` get a protocol each, from ``made``."""
    loop = asyncio.get_running_loop()
    if accepts_one_a_turn(loop):
        return _Accepting(loop, listener, made)
    return await loop.create_server(made, sock=listener, backlog=BACKLOG)


class _Accepting:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, made: Callable[[], asyncio.Protocol]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._made = made
        self._coming: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._watch()

    def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _watch(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_A_TURN):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # nobody is left, or he has gone
            except OSError:
                self._loop.remove_reader(self._listener)
                self._look = self._loop.call_later(_NO_FILES_S, self._watch)
                return
            task = self._loop.create_task(self._let_in(client))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _let_in(self, client: socket.socket) -> None:
        client.setblocking(False)
        with contextlib.suppress(OSError):  # he has gone
            await self._loop.connect_accepted_socket(self._made, client)
            return
        client.close()
