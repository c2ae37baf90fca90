"""What becomes of connections: which are kept, which never again, and how much is read ahead. Real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pennyworth.errors import UpstreamError
from pennyworth.testing.chat_bytes import chat_events
from pennyworth.testing.scripted_server import (
    ScriptedServer,
    await_close,
    connection,
    deaf,
    http_head,
    http_reply,
    http_stream,
    read_request,
    send,
    until,
)
from pennyworth.upstreams.http import HttpUpstream
from tests.upstreams.asking import ANSWER, CREDENTIAL, ask, call_to, until_true, upstream

EVENTS = chat_events(["Hel", "lo"])
CHUNKED = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
PIECE = b"10000\r\n" + b"x" * 65536 + b"\r\n"
AGAIN = (read_request(), send(http_reply(ANSWER)))


@contextlib.asynccontextmanager
async def provider(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """One that reads as the test likes."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**19)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


KEPT: list[tuple[str, bytes, bool]] = [
    ("a reply with a length", http_reply(ANSWER), True),
    ("a stream", http_stream(EVENTS), True),
    ("trailers", http_head(headers=CHUNKED) + b"1\r\na\r\n0\r\nx-sum: 1\r\n\r\n", True),
    ("no content", http_head("204 No Content"), True),
    ("an error of its own", http_reply(b"no", status="500 No"), True),
    ("a reply that says it is the last", http_reply(ANSWER, headers={"connection": "close"}), False),
    ("an old server's reply", b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", False),
    ("a second reply in one piece", http_reply(ANSWER) + http_reply(b"of somebody else"), False),
    ("another protocol", http_head("101 Switching", {"upgrade": "x", "connection": "upgrade"}), False),
]


@pytest.mark.parametrize(("reply", "kept"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
async def test_a_connection_is_kept_if_its_reply_came_whole_and_nothing_after_it(reply: bytes, kept: bool):
    script = [connection(send(reply), *(AGAIN if kept else [await_close()])), connection(send(http_reply(ANSWER)))]
    async with upstream() as asked, ScriptedServer(script) as server:
        first = await ask(asked, call_to(server.url))
        assert (first.fault, "x-sum" in first.headers) == ("", False)
        second = await ask(asked, call_to(server.url))
        assert (second.body, "x-sum" in second.headers) == (ANSWER, False)
        assert server.connections == (1 if kept else 2)


async def test_a_reply_that_was_not_read_to_its_end_ends_its_connection():
    script = [connection(send(http_reply(ANSWER)), await_close()), connection(send(http_reply(ANSWER)))]
    async with upstream() as asked, ScriptedServer(script) as server:
        exchange = await asked.open(call_to(server.url))
        exchange.close()
        exchange.close()
        with pytest.raises(UpstreamError, match="broke off in the middle"):
            await exchange.read()
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert server.connections == 2


async def test_an_exchange_closed_twice_leaves_the_next_one_alone():
    async with upstream() as asked, ScriptedServer([connection(send(http_reply(ANSWER)), *AGAIN)]) as server:
        first = await asked.open(call_to(server.url))
        while await first.read():
            pass
        first.close()
        second = await asked.open(call_to(server.url))
        first.close()
        assert await first.read() == b""
        assert await second.read() == ANSWER
        second.close()
        assert server.connections == 1


async def test_the_last_connection_back_goes_out_first_and_the_others_are_closed_when_they_are_old():
    steps = (send(http_reply(ANSWER)), *AGAIN * 20, await_close())
    async with ScriptedServer(then=connection(*steps)) as server:
        asked = HttpUpstream(idle_s=0.3)
        await asyncio.gather(*[ask(asked, call_to(server.url)) for _ in range(5)])
        assert server.playing == 5
        for _ in range(15):
            await asyncio.sleep(0.05)
            assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert (server.playing, server.connections) == (1, 5)
        await until_true(lambda: server.playing == 0, 2.0)
        await asked.close()


async def test_two_hundred_callers_at_once_are_served_and_their_connections_used_again():
    async with (
        upstream() as asked,
        ScriptedServer(then=connection(send(http_reply(ANSWER, headers={"x-a": "1"})), *AGAIN * 50)) as server,
    ):
        for _ in range(3):
            got = await asyncio.gather(
                *[ask(asked, call_to(server.url, body=b"%d" % n, connect_s=5.0)) for n in range(200)]
            )
            assert {one.body for one in got} == {ANSWER}
        assert server.connections == 200
        sent = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
        assert sorted(sent) == sorted([b"%d" % n for n in range(200)] * 3)


async def test_every_caller_gets_the_reply_to_his_own_call():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(8)
                await asyncio.sleep(int(body) % 7 / 1000)
                writer.write(http_reply(body))
        writer.close()

    async def caller(number: int) -> None:
        for turn in range(10):
            body = b"%08d" % (number * 100 + turn)
            if turn % 3 == number % 3:  # leaves before the reply
                leaving = asyncio.ensure_future(ask(asked, call_to(url, body=body)))
                await asyncio.sleep(0.001)
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
            else:
                assert (await ask(asked, call_to(url, body=body))).body == body

    async with provider(echo) as url, upstream() as asked:
        await asyncio.gather(*map(caller, range(50)))


async def test_bytes_nobody_asked_for_are_no_reply():
    said = asyncio.Event()
    stray = http_reply(b"of somebody else")
    script = [
        connection(send(http_reply(ANSWER)), until(said), send(stray), read_request(), await_close()),
        connection(send(http_reply(ANSWER))),
    ]
    async with upstream() as asked, ScriptedServer(script) as server:
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        said.set()
        await until_true(lambda: not server.playing)
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_bytes_nobody_asked_for_are_no_reply_even_when_the_loop_has_not_seen_them():
    """They lie in the kernel, on a connection that stays open, while the loop is kept busy."""
    said = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        first, _ = listener.accept()
        with first:
            first.recv(65536)
            first.sendall(http_reply(ANSWER))
            time.sleep(0.05)
            first.sendall(http_reply(b"of somebody else"))
            time.sleep(0.05)
            said.set()
            second, _ = listener.accept()
            with second:
                second.recv(65536)
                second.sendall(http_reply(ANSWER))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    async with upstream() as asked:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert (await ask(asked, call_to(url))).body == ANSWER
        said.wait(5.0)
        assert (await ask(asked, call_to(url))).body == ANSWER
    thread.join(5.0)
    listener.close()


async def test_a_reply_that_comes_before_the_request_is_out_is_given_and_ends_its_connection():
    """A provider that refuses by the head alone; 16 MB of the body are still here."""
    connections = 0
    ended = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http_reply(b"too large", status="413 Too Large"))
        await asyncio.sleep(0.3)
        with contextlib.suppress(ConnectionError):
            while await reader.read(2**20):
                pass
        ended.set()
        writer.close()

    async with provider(refuse) as url, upstream() as asked:
        got = await ask(asked, call_to(url, body=b"x" * 16_000_000))
        assert (got.status, got.body) == (413, b"too large")
        await asyncio.wait_for(ended.wait(), 2.0)
        assert (await ask(asked, call_to(url))).status == 413
        assert connections == 2


async def test_a_large_body_goes_out_whole():
    body = bytes(range(256)) * 40_000
    async with upstream() as asked, ScriptedServer([connection(send(http_reply(ANSWER)), *AGAIN)]) as server:
        for _ in range(2):
            assert (await ask(asked, call_to(server.url, body=body))).body == ANSWER
        assert server.connections == 1
    assert [request.partition(b"\r\n\r\n")[2] == body for request in server.requests] == [True, True]


async def test_a_slow_reader_makes_the_provider_wait_and_gets_everything():
    flood = connection(send(http_head(headers=CHUNKED)), *[send(PIECE)] * 400, send(b"0\r\n\r\n"), *AGAIN)
    async with upstream() as asked, ScriptedServer([flood]) as server:
        exchange = await asked.open(call_to(server.url, stream=True, idle_s=0.2))
        await asyncio.sleep(0.5)  # longer than a provider may be silent; this one is made to be
        assert len(server.requests) == 1
        sizes = []
        while data := await exchange.read():
            sizes.append(len(data))
            await asyncio.sleep(0.001)
        exchange.close()
        assert sum(sizes) == 400 * 65536
        assert max(sizes) <= 2**20
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert server.connections == 1


async def test_what_came_before_the_break_is_given_first():
    broken = connection(send(http_head(headers=CHUNKED) + b"3\r\nabc\r\n3\r\ndef\r\nzz\r\n"))
    async with upstream() as asked, ScriptedServer([broken]) as server:
        got = await ask(asked, call_to(server.url, stream=True))
    assert (got.status, got.body, got.fault) == (200, b"abcdef", "malformed")


async def test_a_small_reply_costs_one_wait():
    """Head and body came in one segment: what ``open`` has waited for is all there is to wait for."""
    async with upstream() as asked, ScriptedServer([connection(send(http_reply(ANSWER)), await_close())]) as server:
        exchange = await asked.open(call_to(server.url))
        for expected in (ANSWER, b""):
            reading = exchange.read()
            with pytest.raises(StopIteration) as returned:
                reading.send(None)
            assert returned.value.value == expected
        exchange.close()


async def test_a_read_can_be_given_up_and_begun_again():
    more = asyncio.Event()
    script = connection(send(http_head(headers=CHUNKED)), until(more), send(b"3\r\nabc\r\n0\r\n\r\n"), *AGAIN)
    async with upstream() as asked, ScriptedServer([script]) as server:
        exchange = await asked.open(call_to(server.url, stream=True))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(exchange.read(), 0.05)
        more.set()
        assert await exchange.read() == b"abc"
        assert await exchange.read() == b""
        exchange.close()
        assert (await ask(asked, call_to(server.url))).body == ANSWER
        assert server.connections == 1


async def test_a_read_given_up_and_closed_ends_the_connection():
    script = connection(send(http_head(headers=CHUNKED)), await_close())
    async with upstream() as asked, ScriptedServer([script]) as server:
        exchange = await asked.open(call_to(server.url, stream=True))
        reading = asyncio.ensure_future(exchange.read())
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        exchange.close()
        await until_true(lambda: not server.playing, 1.0)


async def test_closing_the_upstream_ends_all_its_connections_and_what_they_were_doing():
    busy, idle = connection(await_close()), connection(send(http_reply(ANSWER)), await_close())
    async with ScriptedServer([idle, busy]) as server:
        asked = HttpUpstream()
        await ask(asked, call_to(server.url))
        idle_port = asyncio.ensure_future(ask(asked, call_to(server.url.replace("127.0.0.1", "localhost"))))
        await until_true(lambda: len(server.requests) == 2)
        await asked.close()
        assert (await idle_port).fault == "reset"
        await until_true(lambda: not server.playing, 1.0)
        assert (await ask(asked, call_to(server.url))).fault == "reset"


async def test_a_stream_that_takes_long_to_be_sent_is_not_silent_but_one_that_is_never_read_is():
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = len(long)
        line = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
        line.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65536
        )  # else the kernel takes megabytes in one gulp, and rests
        line.close()
        await reader.readuntil(b"\r\n\r\n")
        while left:
            await asyncio.sleep(0.1)
            left -= len(await reader.read(2**20))
        writer.write(http_reply(ANSWER))

    long, body = b"x" * 8_000_000, b"x" * 16_000_000
    async with upstream() as asked:
        async with provider(slowly) as url:
            got = await ask(asked, call_to(url, stream=True, body=long, idle_s=0.8))
            assert (got.body, got.message) == (ANSWER, "")
        async with ScriptedServer([deaf(await_close())]) as server:
            async with asyncio.timeout(3.0):
                got = await ask(asked, call_to(server.url, stream=True, body=body, idle_s=0.3))
        assert got.message == "it timed out: nothing came for 0.3 s (providers.openai.idle_timeout)"


async def test_a_stream_may_last_as_long_as_it_is_never_silent():
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(http_head(headers=CHUNKED))
        for _ in range(20):
            await asyncio.sleep(0.05)
            writer.write(b"1\r\na\r\n")
        writer.write(b"0\r\n\r\n")

    async with provider(speak) as url, upstream() as asked:
        got = await ask(asked, call_to(url, stream=True, idle_s=0.5, total_s=0.1))
    assert (got.body, got.message) == (b"a" * 20, "")


async def test_the_time_for_a_whole_call_is_kept_from_its_own_beginning_on_a_kept_connection():
    """Whatever the one timer of its connection was armed for: sooner, in the call before the last, and later."""
    script = connection(send(http_reply(ANSWER)), *AGAIN * 2, read_request(), await_close())
    async with upstream() as asked, ScriptedServer([script]) as server:
        for total_s in (0.4, 5.0):
            assert (await ask(asked, call_to(server.url, total_s=total_s))).body == ANSWER
            await asyncio.sleep(0.3)
        assert (await ask(asked, call_to(server.url, total_s=5.0))).body == ANSWER
        began = time.monotonic()
        got = await ask(asked, call_to(server.url, total_s=0.3))
        assert got.message == "it timed out after 0.3 s (providers.openai.total_timeout)"
        assert 0.29 <= time.monotonic() - began < 1.0


async def test_a_header_that_holds_a_line_break_is_not_sent():
    async with upstream() as asked, ScriptedServer() as server:
        good = call_to(server.url)
        bad = type(good)(
            target=good.target,
            path=good.path,
            headers=(("authorization", CREDENTIAL + "\r\nx-evil: 1"),),
            body=b"{}",
            stream=False,
        )
        got = await ask(asked, bad)
        assert (got.fault, "line break" in got.message, CREDENTIAL in got.message) == ("malformed", True, False)
        assert server.connections == 0
