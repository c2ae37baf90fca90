"""The HTTP client over real sockets: what a provider may send, and what becomes of it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from pennyworth.testing.chat_bytes import chat_events
from pennyworth.testing.scripted_server import (
    Connection,
    ScriptedServer,
    await_close,
    connection,
    deaf,
    http_head,
    http_reply,
    http_stream,
    read_request,
    reset,
    send,
)
from tests.upstreams.asking import ANSWER, CREDENTIAL, ask, call_to, until_true, upstream

EVENTS = chat_events(["Hel", "lo"])
CHUNKED = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


async def test_the_call_goes_out_as_it_stands_and_asks_for_no_compression():
    async with upstream() as asked, ScriptedServer([connection(send(http_reply(ANSWER)))]) as server:
        got = await ask(asked, call_to(server.url + "/v1", body=b'{ "model" : "m"}'))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert got.body == ANSWER
    assert body == b'{ "model" : "m"}'
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"accept-encoding: identity" in head.lower()
    assert head.count(CREDENTIAL.encode()) == 1
    assert b"cookie" not in head.lower()


async def test_connections_are_kept_for_the_next_call_and_cookies_are_not():
    first = http_reply(ANSWER, headers={"set-cookie": "session=1; Path=/"})
    script = [connection(send(first), read_request(), send(http_reply(ANSWER)))]
    async with upstream() as asked, ScriptedServer(script) as server:
        for _ in range(2):
            assert (await ask(asked, call_to(server.url))).status == 200
    assert server.connections == 1
    assert b"session" not in server.requests[1]


BROKEN: list[tuple[str, Connection, str, str]] = [
    ("a reset before the head", connection(reset()), "reset", "closed before the reply"),
    ("an end before the head", connection(), "reset", "closed before the reply"),
    ("half a head", connection(send(b"HTTP/1.1 200 OK\r\nContent-Le")), "reset", "closed before the reply"),
    ("another protocol", connection(send(b"SSH-2.0-OpenSSH_9.2\r\n")), "malformed", "not HTTP (providers.openai.base"),
    ("nothing at all", connection(await_close()), "timeout", "timed out after 0.3 s (providers.openai.total_timeout)"),
    ("a body cut short", connection(send(http_reply(ANSWER, length=9999))), "reset", "in the middle of the reply"),
    ("chunks without an end", connection(send(http_stream(EVENTS, ended=False))), "reset", "in the middle"),
    ("a malformed chunk size", connection(send(http_head(headers=CHUNKED) + b"zz\r\n")), "malformed", "not HTTP"),
    ("two lengths", connection(send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")), "malformed", "not HTTP"),
    ("length and chunks", connection(send(http_reply(ANSWER, headers=CHUNKED))), "malformed", "not HTTP"),
    ("a header of 20 KB", connection(send(http_reply(ANSWER, headers={"x-a": "a" * 20_000}))), "malformed", "not HTTP"),
    ("gzip nobody asked for", connection(send(http_reply(ANSWER, headers={"content-encoding": "gzip"}))), "malformed", "'gzip' although identity"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "fault", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_a_road_that_fails_is_an_upstream_error_in_words(script: Connection, fault: str, words: str):
    async with upstream() as asked, ScriptedServer([script]) as server:
        got = await ask(asked, call_to(server.url, total_s=0.3))
        assert (got.fault, words in got.message) == (fault, True), got.message
        assert server.connections == 1, "a call that may have been read is not sent again"
    assert CREDENTIAL not in got.message


WHOLE: list[tuple[str, Connection, int, bytes]] = [
    ("a reply that ends with its connection", connection(send(b"HTTP/1.0 200 OK\r\n\r\n" + ANSWER)), 200, ANSWER),
    ("early hints first", connection(send(http_head("103 Early Hints", {"link": "x"}) + http_reply(ANSWER))), 200, ANSWER),
    ("a needless continue first", connection(send(http_head("100 Continue") + http_reply(ANSWER))), 200, ANSWER),
    ("nothing, by name", connection(send(http_head("204 No Content"))), 204, b""),
    ("an empty body", connection(send(http_reply(b""))), 200, b""),
    ("a byte at a time", connection(send(http_reply(ANSWER), slice_bytes=1)), 200, ANSWER),
    ("an error of its own", connection(send(http_reply(b"no", status="529 Overloaded"))), 529, b"no"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "status", "body"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
async def test_a_reply_of_any_status_is_a_reply(script: Connection, status: int, body: bytes):
    async with upstream() as asked, ScriptedServer([script]) as server:
        got = await ask(asked, call_to(server.url))
    assert (got.status, got.body, got.message) == (status, body, "")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed_and_the_credential_goes_nowhere_else(status: str):
    async with upstream() as asked, ScriptedServer() as elsewhere:
        away = http_reply(b"", status=status, headers={"location": elsewhere.url + "/v1/chat/completions"})
        async with ScriptedServer([connection(send(away))]) as server:
            got = await ask(asked, call_to(server.url))
        assert got.status == int(status[:3])
        assert elsewhere.connections == 0


async def test_a_stream_ends_when_it_is_silent_for_its_idle_time_however_long_it_may_last():
    async with (
        upstream() as asked,
        ScriptedServer([connection(send(http_head(headers=CHUNKED)), await_close())]) as server,
    ):
        got = await ask(asked, call_to(server.url, stream=True, idle_s=0.2, total_s=0.01))
        assert (got.status, got.fault) == (200, "timeout")
        assert "nothing came for 0.2 s (providers.openai.idle_timeout)" in got.message
        await until_true(lambda: not server.playing)


async def test_a_server_that_is_not_there_is_named_with_its_key():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with upstream() as asked:
            got = await ask(asked, call_to(url))
    assert got.fault == "connect"
    assert got.message == f"no connection to providers.openai.base_url = {url} (Connection refused)"


async def test_a_name_that_does_not_resolve_is_named_with_its_key():
    async with upstream() as asked:
        got = await ask(asked, call_to("http://no-such-host.invalid/v1"))
    assert (got.fault, got.message) == (
        "connect",
        "the host of providers.openai.base_url = http://no-such-host.invalid/v1 is unknown",
    )


async def test_a_black_hole_is_given_up_after_the_connect_time():
    """A full queue of connections nobody accepts: Linux then drops every further SYN."""
    with socket.socket() as hole, socket.socket() as first, socket.socket() as second:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
        async with upstream() as asked:
            got = await ask(asked, call_to(f"http://127.0.0.1:{hole.getsockname()[1]}", connect_s=0.2))
    assert (got.fault, got.message) == (
        "timeout",
        "connecting timed out after 0.2 s (providers.openai.connect_timeout)",
    )


async def test_leaving_in_the_middle_closes_the_connection_at_once():
    endless = connection(send(http_stream(EVENTS, ended=False)), await_close())
    async with upstream() as asked, ScriptedServer([endless]) as server:
        exchange = await asked.open(call_to(server.url, stream=True))
        await exchange.read()
        exchange.close()
        exchange.close()
        await until_true(lambda: not server.playing, 1.0)


async def test_leaving_while_nothing_is_read_closes_the_connection_at_once():
    flood = connection(
        send(http_head(headers=CHUNKED)), *[send(b"10000\r\n" + b"x" * 65536 + b"\r\n")] * 400, await_close()
    )
    async with ScriptedServer([flood]) as server, upstream() as asked:
        exchange = await asked.open(call_to(server.url, stream=True))
        await until_true(lambda: not exchange._connection._transport.is_reading())
        assert server.playing
        exchange.close()
        await until_true(lambda: not server.playing, 5.0)


async def test_a_call_cancelled_before_the_head_closes_its_connection():
    async with upstream() as asked, ScriptedServer([connection(await_close())]) as server:
        opening = asyncio.ensure_future(asked.open(call_to(server.url)))
        await until_true(lambda: bool(server.requests))
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await until_true(lambda: not server.playing, 1.0)


async def test_a_body_nobody_reads_is_not_read_far_ahead():
    flood = deaf(read_request(), send(http_head(headers=CHUNKED)), *[send(b"10000\r\n" + b"x" * 65536 + b"\r\n")] * 400)
    async with upstream() as asked, ScriptedServer([flood]) as server:
        exchange = await asked.open(call_to(server.url, stream=True))
        await asyncio.sleep(0.3)
        first = await exchange.read()
        exchange.close()
    assert 0 < len(first) <= 2**20
