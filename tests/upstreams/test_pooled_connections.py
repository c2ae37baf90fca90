"""A kept connection that has died must cost the caller nothing, and must never make him pay twice."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
import threading
from collections.abc import Callable
from types import TracebackType

import pytest

from pennyworth.testing.scripted_server import (
    Connection,
    ScriptedServer,
    await_close,
    connection,
    deaf,
    http_reply,
    read_request,
    reset,
    send,
    until,
)
from tests.upstreams.asking import ANSWER, ask, call_to, until_true, upstream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what the provider has acknowledged")

_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A socket filter of one instruction, ``return 0``: no segment reaches the socket (socket(7), SO_ATTACH_FILTER)."""


class Blunt:
    """A provider in a thread, with plain sockets: its connections die in ways of our choosing.

    ``served``: requests it has read. The n-th function is what it does after its first reply on its n-th connection.
    """

    def __init__(self, *then: Callable[[socket.socket], None]) -> None:
        self.served = 0
        self.ended = threading.Event()
        self._then = then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Blunt:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(5.0)
        self._listener.close()

    def _run(self) -> None:
        for then in (*self._then, lambda _: None):
            line, _ = self._listener.accept()
            with line:
                self.read(line)
                line.sendall(http_reply(ANSWER))
                then(line)
            self.ended.set()

    def read(self, line: socket.socket) -> None:
        data = b""
        while not data.endswith(b"{}"):
            data += line.recv(65536)
        self.served += 1


async def test_a_connection_the_provider_has_just_closed_is_not_used():
    """The end of the connection lies in the kernel; the loop, kept busy here, has not seen it."""
    with Blunt(lambda line: None) as provider:
        async with upstream() as asked:
            assert (await ask(asked, call_to(provider.url))).status == 200
            provider.ended.wait(5.0)
            got = await ask(asked, call_to(provider.url))
    assert (got.status, got.body, got.message) == (200, ANSWER, "")
    assert provider.served == 2


async def test_a_connection_reset_while_it_was_idle_is_not_used():
    def abort(line: socket.socket) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Blunt(abort) as provider:
        async with upstream() as asked:
            assert (await ask(asked, call_to(provider.url))).status == 200
            provider.ended.wait(5.0)
            got = await ask(asked, call_to(provider.url))
    assert (got.status, got.body, got.message) == (200, ANSWER, "")


async def test_a_request_that_crossed_the_end_of_its_connection_is_sent_once_more():
    """The provider closes while the request is on its way: nothing of it is acknowledged, so nothing was read."""
    deafened, sent = threading.Event(), threading.Event()

    def hear_nothing_and_close(line: socket.socket) -> None:
        program = ctypes.create_string_buffer(_DROP_ALL)
        line.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))
        deafened.set()
        sent.wait(5.0)

    with Blunt(hear_nothing_and_close) as provider:
        async with upstream() as asked:
            assert (await ask(asked, call_to(provider.url))).status == 200
            deafened.wait(5.0)
            asking = asyncio.ensure_future(ask(asked, call_to(provider.url)))
            await asyncio.sleep(0.1)
            sent.set()
            got = await asking
    assert (got.status, got.body, got.message) == (200, ANSWER, "")
    assert provider.served == 2


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_request_that_was_read_is_never_sent_again(abruptly: bool):
    """The provider reads the second request on a connection that was idle, and dies: it may have charged for it."""
    steps = (send(http_reply(ANSWER)), read_request(), *([reset()] if abruptly else []))
    async with upstream() as asked, ScriptedServer([connection(*steps)]) as server:
        assert (await ask(asked, call_to(server.url))).status == 200
        got = await ask(asked, call_to(server.url))
        assert (got.fault, got.message) == ("reset", "the connection was closed before the reply")
        assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize("how", [deaf(), deaf(reset())], ids=["in order", "abruptly"])
async def test_a_provider_that_closes_every_connection_at_once_is_asked_twice_at_most(how: Connection):
    async with upstream() as asked, ScriptedServer(then=how) as server:
        got = await ask(asked, call_to(server.url))
        assert (got.fault, got.message) == ("reset", "the connection was closed before the reply")
        assert server.connections <= 2


@pytest.mark.parametrize("when", ["in one piece with the first", "later"])
async def test_what_a_provider_sends_unasked_is_no_reply_to_the_next_request(when: str):
    """It would reach whoever asks next on that connection (response queue poisoning)."""
    stray, later = http_reply(b"of somebody else"), asyncio.Event()
    together = (send(http_reply(ANSWER) + stray),)
    apart = (send(http_reply(ANSWER)), until(later), send(stray), read_request())
    script = [connection(*(apart if when == "later" else together)), connection(send(http_reply(ANSWER)))]
    async with upstream() as asked, ScriptedServer(script) as server:
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        later.set()
        await asyncio.sleep(0.05)
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert server.connections == 2


async def test_a_connection_that_waited_for_work_is_closed_whole_in_the_end():
    """Nothing of ours keeps a second hold on its socket: the provider sees the end."""
    steps = (send(http_reply(ANSWER)), read_request(), send(http_reply(ANSWER)), await_close())
    async with ScriptedServer([connection(*steps)]) as server:
        async with upstream() as asked:
            assert (await ask(asked, call_to(server.url))).status == 200
            assert (await ask(asked, call_to(server.url))).status == 200
            assert server.playing == 1
        await until_true(lambda: not server.playing)
