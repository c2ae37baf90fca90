"""Many connections at once, and a process that may open no more."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable

import uvloop

from pennyworth.engine.passage import Reply
from pennyworth.plan import Limits
from pennyworth.server.asked import Asked
from pennyworth.server.http_server import HttpServer

_CROWD = 600
_TURNS = 100


class Porter:
    """A door behind which nothing is."""

    def preview(self, asked: Asked) -> Reply | None:
        return None

    def answer(self, asked: Asked) -> Reply:
        return Reply(status=200, headers=(), body=b"come in")

    def broken(self, asked: Asked, fault: object) -> Reply:
        raise AssertionError(fault)

    def refuse(self, refusal: object) -> Reply:
        raise AssertionError(refusal)

    def failed(self, error: Exception) -> Reply:
        raise error

    def left(self, asked: Asked) -> None: ...


def test_a_crowd_of_new_connections_is_let_in_within_few_turns_of_the_loop() -> None:
    """One a turn is too slow for a gateway whose turns are long: the kernel's queue overflows, and those who are dropped
    from it get no answer at all."""

    async def crowd(server: HttpServer, address: tuple[str, int]) -> None:
        callers = [_caller(address) for _ in range(_CROWD)]
        assert await _turns(lambda: len(server.connections) == _CROWD) < _TURNS
        for caller in callers:
            caller.close()

    _serving(crowd)


def test_those_who_come_while_no_file_can_be_opened_are_let_in_when_one_can() -> None:
    async def too_many(server: HttpServer, address: tuple[str, int]) -> None:
        callers = [socket.socket() for _ in range(5)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_next_file() + 2, hard))
        try:
            for caller in callers:
                caller.connect(address)
            await _until(lambda: len(server.connections) == 2)
            await asyncio.sleep(0.1)
            assert len(server.connections) == 2
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await _until(lambda: len(server.connections) == 5)
        for caller in callers:
            caller.close()

    _serving(too_many)


def test_who_comes_as_a_server_drains_is_let_go() -> None:
    async def late(server: HttpServer, address: tuple[str, int]) -> None:
        caller = _caller(address)
        await _until(lambda: len(server.connections) == 1)
        server.drain()
        await server.gone()
        assert caller.recv(1) == b""
        caller.close()

    _serving(late)


def _serving(play: Callable[[HttpServer, tuple[str, int]], Awaitable[None]]) -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            listener.setblocking(False)
            server = HttpServer(Porter(), Limits())
            await server.start(listener)
            try:
                await play(server, listener.getsockname())
            finally:
                server.drain()
                server.abort()
                await server.gone()

    uvloop.run(run())


def _caller(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address)


async def _turns(come: Callable[[], bool]) -> int:
    turns = 0
    while not come():
        await asyncio.sleep(0)
        turns += 1
    return turns


async def _until(come: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not come():  # noqa: ASYNC110  # a server tells nobody who has come
            await asyncio.sleep(0.01)


def _next_file() -> int:
    """The number the next opened file gets, with all below it in use."""
    probe = os.dup(0)
    os.close(probe)
    return probe
