"""Heads that are remembered by their bytes: what is known of a request is what a fresh parser would find."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.plan import Limits
from pennyworth.request import Caller
from pennyworth.server.asked import Asked
from pennyworth.server.connection import Connection, Connections
from pennyworth.server.incoming import Incoming
from pennyworth.server.request_head import Heads

PIECES = [
    b"POST / HTTP/1.1\r\n", b"GET /a?b HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"Host: a\r\n", b"Host: b\r\n", b"Host: a\n",
    b"Content-Length: 0\r\n", b"Content-Length: 4\r\n", b"Content-Length: 6\r\n", b"Content-Length: 8\r\n", b"Connection: close\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n",
    b"\r\n", b"\n", b"body", b"\r\n\r\n", b"0\r\n\r\n", b"X: \r\n",
]  # fmt: skip


class Echo:
    """A door that says what it was asked."""

    def preview(self, asked: Asked) -> Reply | None:
        return None

    def answer(self, asked: Asked) -> Reply | Relay:
        head = asked.head
        said = f"{head.method} {head.path} {head.query!r} {dict(head.headers)} {head.keep_alive} {asked.body!r}"
        return Reply(200, [], said.encode())

    def broken(self, asked: Asked, fault: RequestError) -> Reply:
        return Reply(fault.status, [], fault.message.encode())

    def left(self, asked: Asked) -> None:
        pass

    def refuse(self, no: Refuse) -> Reply:
        return Reply(no.status, [], no.message.encode())

    def failed(self, error: Exception) -> Reply:
        raise error


class Paper(asyncio.Transport):
    """Writes down what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing
        self.sent += data

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def said(requests: list[bytes], heads: Heads | None) -> list[bytes]:
    """What comes back on a connection of its own for each; all remember the same heads, or each its own."""
    replies = []
    for request in requests:
        paper = Paper()
        everyone = Connections(Limits())
        everyone.heads = heads or everyone.heads
        one = Connection(Echo(), everyone)
        one.connection_made(paper)
        one.data_received(request)
        one.connection_lost(None)
        replies.append(b"\r\n".join(line for line in paper.sent.split(b"\r\n") if not line.startswith(b"date:")))
    return replies


ODD = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(b"".join)
NEARLY_PROPER = st.builds(
    lambda before, extra, length, body: (
        before + b"POST / HTTP/1.1\r\nHost: a\r\n" + extra + b"Content-Length: %d\r\n\r\n" % length + body
    ),
    st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n"]),
    st.sampled_from(
        [b"", b"", b"X: \r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Y: \n"]
    ),
    st.sampled_from([0, 4, 8]),
    st.sampled_from([b"", b"body", b"bodybody", b"\r\n\r\n", b"\r\n\r\nbody"]),
)


@given(st.lists(st.one_of(ODD, NEARLY_PROPER), min_size=2, max_size=4))
def test_what_was_learnt_from_one_request_changes_no_other(requests: list[bytes]) -> None:
    """Each is sent twice, so that it is new and then known, where it can be."""
    sent = [*requests, *requests]
    assert asyncio.run(said(sent, Heads())) == asyncio.run(said(sent, None))


def test_a_head_is_known_only_with_the_body_it_announces() -> None:
    heads = Heads()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
    asyncio.run(said([head + b"body"], heads))
    assert heads.known(head + b"BODY") is not None
    for other in (
        head,
        head + b"bod",
        head + b"bodyG",
        b"\r\n" + head + b"body",
        head.replace(b"a", b"b") + b"body",
        b"",
    ):
        assert heads.known(other) is None


def test_empty_lines_before_a_request_are_never_taken_for_its_head() -> None:
    heads = Heads()
    asyncio.run(said([b"\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"], heads))
    assert heads.known(b"\r\n\r\nbody") is None


class Broken(Echo):
    """A door with a defect wherever a body is missing."""

    def __init__(self) -> None:
        self.defects: list[Exception] = []

    def preview(self, asked: Asked) -> Reply | None:
        asked.caller = Caller("a")
        return None

    def broken(self, asked: Asked, fault: RequestError) -> Reply:
        raise ValueError("a defect")

    def left(self, asked: Asked) -> None:
        raise ValueError("a defect")

    def failed(self, error: Exception) -> Reply:
        self.defects.append(error)
        return Reply(500, [], b"failed")


async def begun(door: Broken, limits: Limits) -> tuple[Connection, Paper, Connections]:
    """A connection on which half a body has come."""
    everyone, paper = Connections(limits), Paper()
    one = Connection(door, everyone)
    one.connection_made(paper)
    one.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
    return one, paper, everyone


async def test_a_door_that_fails_over_a_body_that_is_late_is_a_500_and_not_silence() -> None:
    door = Broken()
    one, paper, _ = await begun(door, Limits(body_timeout_s=0.01))
    async with asyncio.timeout(5.0):
        while not paper.sent:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.005)
    assert paper.sent.startswith(b"HTTP/1.1 500 ")
    assert len(door.defects) == 1
    one.connection_lost(None)


async def test_a_door_that_fails_when_a_caller_leaves_keeps_no_connection_open() -> None:
    one, _, everyone = await begun(Broken(), Limits())
    with pytest.raises(ValueError, match="a defect"):
        one.connection_lost(None)
    assert len(everyone) == 0


def test_any_number_of_wishes_for_another_protocol_may_stand_in_a_row():
    wish = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}"
    incoming = Incoming(Limits(), Heads())
    incoming.feed(wish * 2000)
    assert [asked.body for asked in incoming.waiting] == [b"{}"] * 2000
    assert incoming.bad is None


def test_what_is_wrong_behind_a_wish_for_another_protocol_is_said_as_anywhere_else():
    wish = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    incoming = Incoming(Limits(), Heads())
    incoming.feed(wish + b"POST /\r\n\r\n")
    assert incoming.bad is not None
    assert "HTTP/0.9" in incoming.bad.message


def test_what_looks_like_tls_in_the_middle_of_a_head_is_not_called_tls():
    incoming = Incoming(Limits(), Heads())
    incoming.feed(b"GET / HTTP/1.1\r\nHo")
    incoming.feed(b"\x16\x03: a\r\n\r\n")
    assert incoming.bad is not None
    assert "TLS" not in incoming.bad.message
