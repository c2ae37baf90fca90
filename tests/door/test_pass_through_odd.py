"""What is passed through, where the wire is odd: many at once, pieces of requests behind others, replies that say too much."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import pytest

from pennyworth.testing.scripted_server import connection, http_head, reset, send
from tests.door.conftest import MakeGateway
from tests.door.raw import Wire
from tests.door.running import KEY, eventually
from tests.door.scripted_provider import last_reply

FILE = b'{"id":"file-1","object":"file"}'


def asked(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = [f"{method} /v1{path} HTTP/1.1", "host: x", f"authorization: Bearer {KEY}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def test_requests_behind_an_upload_are_each_made_once_with_their_own_body(scripted: MakeGateway):
    gateway, provider = scripted([connection(send(last_reply(b"%d" % n))) for n in range(4)])
    chunked = b"5\r\nGET /\r\n7\r\n HTTP/1\r\n0\r\n\r\n"
    with Wire(gateway.port) as wire:
        wire.send(
            asked("POST", "/files", "transfer-encoding: chunked", body=chunked)
            + asked("GET", "/files/a")
            + asked("PUT", "/files/b", "content-length: 4", body=b"\r\n\r\n")
            + asked("DELETE", "/files/c")
        )
        assert [wire.read().body for _ in range(4)] == [b"0", b"1", b"2", b"3"]  # type: ignore[union-attr]
    assert [request.split(b" HTTP")[0] for request in provider.requests] == [
        b"POST /v1/files",
        b"GET /v1/files/a",
        b"PUT /v1/files/b",
        b"DELETE /v1/files/c",
    ]
    assert provider.bodies == [b"GET / HTTP/1", b"", b"\r\n\r\n", b""]
    assert len({receipt.id for receipt in gateway.receipts()}) == 4


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("content-length: 5", "content-length: 6"),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding: chunked, identity",),
        ("content-length: +5",),
    ],
)
def test_a_body_of_two_lengths_reaches_nobody(scripted: MakeGateway, lines: tuple[str, ...]):
    gateway, provider = scripted([connection(send(last_reply(FILE)))])
    with Wire(gateway.port) as wire:
        reply = wire.send(asked("POST", "/files", *lines, body=b"0\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n")).read()
        assert reply is not None
        assert reply.status in (400, 501)
        assert wire.read() is None
    assert provider.requests == []


def test_a_caller_who_waits_is_told_to_go_on(scripted: MakeGateway):
    gateway, provider = scripted([connection(send(last_reply(FILE)))])
    with Wire(gateway.port) as wire:
        told = wire.send(asked("POST", "/files", "content-length: 3", "expect: 100-continue")).read()
        assert told is not None
        assert told.status == 100
        reply = wire.send(b"abc").read()
        assert reply is not None
        assert reply.body == FILE
    assert provider.bodies == [b"abc"]
    assert b"expect" not in provider.requests[0].lower()


@pytest.mark.parametrize("first", ["100 Continue", "103 Early Hints", "102 Processing"])
def test_a_word_before_the_reply_is_not_the_reply(scripted: MakeGateway, first: str):
    early = f"HTTP/1.1 {first}\r\nlink: </style>\r\n\r\n".encode()
    gateway, _ = scripted([connection(send(early + early + last_reply(FILE)))])
    reply = httpx.get(f"{gateway.base_url}/files/file-1")
    assert (reply.status_code, reply.content) == (200, FILE)
    assert "link" not in reply.headers
    assert gateway.last().status == 200


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_bytes_that_a_provider_sends_beyond_its_reply_reach_nobody(scripted: MakeGateway, method: str):
    """As an answer to the next request they would be somebody else's."""
    more = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nevil!!"
    gateway, _ = scripted(
        [
            connection(send(http_head(headers={"content-length": str(len(FILE))}) + FILE + more)),
            connection(send(last_reply(b"mine"))),
        ],
    )
    with httpx.Client() as http:
        assert http.request(method, f"{gateway.base_url}/files/a").content == (b"" if method == "HEAD" else FILE)
        assert http.get(f"{gateway.base_url}/files/b").content == b"mine"


@pytest.mark.parametrize("length", ["-1", "5, 6", "0x10", "99999999999999999999", "+3"])
def test_a_reply_of_no_length_that_can_be_read_is_an_error(scripted: MakeGateway, length: str):
    gateway, _ = scripted([connection(send(f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nabc".encode()))])
    try:
        reply = httpx.post(f"{gateway.base_url}/files/a", content=b"x")
        assert reply.status_code == 502
    except httpx.RemoteProtocolError:
        assert gateway.last().ending == "cut"
    assert gateway.last().served == "none"


def test_an_older_caller_is_given_it_to_the_end_of_the_connection(scripted: MakeGateway):
    head = http_head(headers={"transfer-encoding": "chunked", "connection": "close"})
    gateway, _ = scripted([connection(send(head + b"3\r\nabc\r\n0\r\n\r\n"))])
    with Wire(gateway.port) as wire:
        wire.send(f"GET /v1/files/a HTTP/1.0\r\nauthorization: Bearer {KEY}\r\n\r\n".encode())
        head = wire._until(b"\r\n\r\n") or b""
        assert b"transfer-encoding" not in head.lower()
        body = wire._buffer
        while piece := wire.socket.recv(100):
            body += piece
        assert body == b"abc"
    assert eventually(lambda: gateway.receipts() != [])


def test_hundreds_at_once_with_slow_readers_and_cuts_both_ways_have_a_receipt_each(scripted: MakeGateway):
    size, many = 200_000, 300
    whole = send(http_head(headers={"content-length": str(size), "connection": "close"}) + bytes(size))
    half = send(http_head(headers={"content-length": str(size), "connection": "close"}) + bytes(size // 2))
    chance = random.Random(5)
    script = [connection(half, reset()) if chance.random() < 0.2 else connection(whole) for _ in range(many)]
    gateway, _ = scripted(script)

    async def one(http: httpx.AsyncClient, kind: int) -> str:
        try:
            async with http.stream("GET", f"{gateway.base_url}/files/{kind}/content") as reply:
                got = 0
                async for part in reply.aiter_raw(16_384):
                    got += len(part)
                    if kind == 1:
                        await asyncio.sleep(0.002)
                    if kind == 2 and got > 40_000:
                        return "left"
                return "whole" if got == size else f"{got}"
        except httpx.RemoteProtocolError:
            return "cut"

    async def all_of_them() -> list[str]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60.0) as http:
            return await asyncio.gather(*[one(http, n % 3) for n in range(many)])

    ends = asyncio.run(all_of_them())
    assert set(ends) <= {"whole", "cut", "left"}
    assert eventually(lambda: len(gateway.receipts()) == many)
    receipts: list[Any] = gateway.receipts()
    assert len({receipt.id for receipt in receipts}) == many
    tell = {"complete": "whole", "cut": "cut", "caller_left": "left"}
    told = [tell[receipt.ending] for receipt in receipts]
    assert told.count("whole") >= ends.count("whole")
    assert told.count("cut") >= ends.count("cut")
