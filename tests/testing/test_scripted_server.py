"""The scripted server with clients that know nothing of it: raw sockets, aiohttp, the official SDK."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import openai
import pytest

from pennyworth.testing.scripted import chat_events, chat_json
from pennyworth.testing.scripted_server import (
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
    until,
)


async def converse(server: ScriptedServer, request: bytes = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


def sdk(server: ScriptedServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0, timeout=5.0)


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def test_it_sends_exactly_these_bytes_and_closes():
    async with ScriptedServer([connection(send(b"HTTP/1.1 200 OK\r\nContent-Le"))]) as server:
        assert await converse(server) == b"HTTP/1.1 200 OK\r\nContent-Le"
    assert server.requests == [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"]


async def test_it_records_bodies_with_a_length_and_in_chunks():
    with_length = b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    async with ScriptedServer(then=connection(send(b"ok"))) as server:
        await converse(server, with_length)
        await converse(server, chunked)
    assert server.requests == [with_length, chunked]


async def test_a_reset_is_a_tcp_reset():
    async with ScriptedServer([connection(send(b"half"), reset())]) as server:
        with pytest.raises(ConnectionResetError):
            await converse(server)


async def test_a_connection_beyond_the_script_is_reset_and_counted():
    async with ScriptedServer([]) as server:
        with pytest.raises(ConnectionResetError):
            await converse(server)
    assert (server.unexpected, server.connections) == (1, 1)


async def test_several_requests_share_a_connection_when_the_script_says_so():
    script = [connection(send(http_reply(b"1")), read_request(), send(http_reply(b"2")))]
    async with ScriptedServer(script) as server, aiohttp.ClientSession(server.url) as session:
        for expected in (b"1", b"2"):
            async with session.get("/") as reply:
                assert await reply.read() == expected
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_the_test_decides_when_the_next_bytes_come():
    go = asyncio.Event()
    async with ScriptedServer([connection(send(b"a"), until(go), send(b"b"))]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(1) == b"a"
        go.set()
        assert await reader.read() == b"b"
        writer.close()


async def test_a_client_that_leaves_before_its_steps_are_over_is_counted():
    async with ScriptedServer([connection(send(b"never"))]) as server, asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\nhalf a head")
        writer.close()
        await writer.wait_closed()
        await server.until_clients_left(1)
    assert server.requests == []


async def test_a_connection_is_held_in_silence_until_the_client_closes_it():
    async with ScriptedServer([connection(await_close(), send(b"too late"))]) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert server.connections == 1


async def test_a_deaf_connection_answers_before_it_is_asked():
    async with ScriptedServer([deaf(send(b"SSH-2.0-OpenSSH_9.6\r\n"))]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        assert await reader.readline() == b"SSH-2.0-OpenSSH_9.6\r\n"
        writer.close()


async def test_the_sdk_reads_a_scripted_chat_completion():
    async with ScriptedServer([connection(send(http_reply(chat_json("hello", usage=(7, 3)))))]) as server:
        reply = await sdk(server).chat.completions.create(**QUESTION)
    assert (reply.choices[0].message.content, reply.usage.total_tokens) == ("hello", 10)
    assert b'"content":"hi"' in server.requests[0]


@pytest.mark.parametrize("slice_bytes", [0, 1, 7])
async def test_the_sdk_reads_a_scripted_stream_however_it_is_cut(slice_bytes):
    raw = http_stream(chat_events(["Hel", "lo"], usage=(7, 3)))
    async with ScriptedServer([connection(send(raw, slice_bytes=slice_bytes))]) as server:
        chunks = [chunk async for chunk in await sdk(server).chat.completions.create(**QUESTION, stream=True)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert chunks[-1].usage.total_tokens == 10


async def test_a_claimed_length_beyond_the_body_is_a_broken_reply():
    script = [connection(send(http_reply(b"{}", length=100)))]
    async with ScriptedServer(script) as server, aiohttp.ClientSession(server.url) as session:
        reply = await session.get("/")
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


async def test_a_chunked_stream_may_lack_its_end():
    script = [connection(send(http_stream([b"data: x\n\n"], ended=False)))]
    async with ScriptedServer(script) as server, aiohttp.ClientSession(server.url) as session:
        reply = await session.get("/")
        assert await reply.content.readany() == b"data: x\n\n"
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.content.readany()


async def test_a_stream_may_be_cut_at_every_byte():
    raw = http_stream([b"data: x\n\n"])
    async with ScriptedServer([connection(send(raw[:place])) for place in range(len(raw))]) as server:
        assert [await converse(server) for _ in range(len(raw))] == [raw[:place] for place in range(len(raw))]


async def test_it_listens_on_loopback_only():
    async with ScriptedServer([]) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with socket.socket() as other, pytest.raises(OSError, match=r"(?i)in use"):
            other.bind(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))


def test_a_head_has_just_the_headers_it_is_given():
    assert http_head("204 No Content", {"x": "1"}) == b"HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n"
