"""Trials of the two HTTP readers: requests as they come in, and providers' replies. Any cut gives the same."""

from __future__ import annotations

import random
from typing import Any

from pennyworth.plan import Limits
from pennyworth.server.incoming import Incoming
from pennyworth.server.request_head import Heads
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import http_head, http_reply, http_stream
from pennyworth.upstreams.reply import NotHttpError, Reply
from tests.fuzz.law import BrokenLawError, Case, Trial, cut, mutated

_BODY = b'{"model":"m","messages":[]}'
_REQUESTS = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY),
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(_BODY), _BODY),
    b"GET /v1/models?x=%20y HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nAccept: text/html\r\nExpect: 100-continue\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: x\r\nContent-Length: 2\r\n\r\n{}",
)
_REPLIES = (
    http_reply(chat_json("hello")),
    http_stream(chat_events(["Hel", "lo"])),
    http_head("103 Early Hints", {"link": "x"}) + http_reply(b"{}", headers={"x-request-id": "r"}),
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    http_head("204 No Content"),
    http_head("101 Switching", {"upgrade": "x", "connection": "upgrade"}) + b"what follows",
)
_BITS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff", b" ", b"\t", b":", b",", b";", b"0", b"-1", b"9" * 30, b"%", b"%00", b"%2e%2e/",
    b"Host: b\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n",
    b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 100 Continue\r\n\r\n", b"CONNECT ", b"HEAD ", b"OPTIONS ", b"0\r\n\r\n", b"5;x=y\r\n", b"x" * 300,
)  # fmt: skip
_LIMITS = Limits()


def _request(chance: random.Random) -> Case:
    """One, or several in a row, of which one is changed."""
    rows = [chance.choice(_REQUESTS) for _ in range(chance.choice((1, 1, 2, 3)))]
    place = chance.randrange(len(rows))
    rows[place] = mutated(chance, rows[place], _BITS)
    return cut(chance, b"".join(rows))


def _came_in(case: Case) -> str:
    """The same requests however they were cut, and whether or not their heads have been read before. What is said of bytes
    that are none may depend on the cut."""
    raw = b"".join(case)
    heads = Heads()
    first = _asked((raw,), heads)
    if _asked(case, Heads()) != first:
        raise BrokenLawError("another cut gave other requests", *case)
    if _asked((raw,), heads) != first:
        raise BrokenLawError("read a second time it asks for something else", raw)
    requests, bad, _ = first
    return "refused" if bad else f"{len(requests)} whole"


def _asked(pieces: Case, heads: Heads) -> tuple[list[Any], int, Any]:
    incoming = Incoming(_LIMITS, heads)
    found = []
    for piece in pieces:
        if not piece:
            continue
        if known := incoming.known(piece):
            found.append(known)
        else:
            incoming.feed(piece)
        found += incoming.waiting
        incoming.waiting.clear()
    said = [
        (one.head.method, one.head.path, one.head.query, dict(one.head.headers), one.head.keep_alive, one.body, one.fault is None)
        for one in found
    ]  # fmt: skip
    coming = (incoming.coming.head.path, incoming.coming.body) if incoming.coming else None
    return said, incoming.bad.status if incoming.bad else 0, coming


def _reply(chance: random.Random) -> Case:
    return cut(chance, mutated(chance, chance.choice(_REPLIES), _BITS))


def _replied(case: Case) -> str:
    """The same reply however it was cut; the only exception is that it is none. What follows a reply is no part of it, and
    whether it was there in time to tell depends on the cut."""
    raw = b"".join(case)
    first, heard = _heard((raw,)), _heard(case)
    if heard != first and heard[0] != "followed":
        raise BrokenLawError(f"another cut gave another reply: {first} / {heard}", *case)
    return first[0]


def _heard(pieces: Case) -> tuple[str, int, list[tuple[str, str]], bytes, bool]:
    reply, body = Reply(), b""
    how = "not yet"
    for piece in filter(None, pieces):
        if reply.whole:
            return "followed", reply.status, reply.headers, body, False
        try:
            reply.feed(piece)
        except NotHttpError:
            how = "no reply"
        body += b"".join(reply.pieces)
        reply.pieces.clear()
        if how == "no reply":
            break
    if reply.whole:
        how = "whole"
    elif how == "not yet" and reply.end():
        how = "whole at the end"
    return how, reply.status if reply.begun else 0, reply.headers if reply.begun else [], body, reply.reusable


REQUEST_HEAD = Trial(_request, _came_in)
PROVIDER_REPLY = Trial(_reply, _replied)
