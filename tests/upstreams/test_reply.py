"""What a provider's bytes mean: the same, whatever cut they come in. No sockets, no loop."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.testing.scripted_server import http_head, http_reply, http_stream
from pennyworth.upstreams.reply import NotHttpError, Reply

CHUNKED = {"transfer-encoding": "chunked"}
BODY = b'{"a": "b\r\n\r\n"}'
Read = tuple[int, list[tuple[str, str]], bytes, bool, bool]


def read(*pieces: bytes, ended: bool = False) -> Read:
    """Status, headers, body; whole; reusable. ``ended``: then the connection ends in order."""
    reply = Reply()
    for piece in pieces:
        reply.feed(piece)
    if ended:
        reply.end()
    return reply.status, reply.headers, b"".join(reply.pieces), reply.whole, reply.reusable


def read_bodiless(data: bytes, at: list[int]) -> Read:
    reply = Reply(bodiless=True)
    for piece in cut(data, at):
        if not reply.whole:
            reply.feed(piece)
    return reply.status, reply.headers, b"".join(reply.pieces), reply.whole, reply.reusable


def broken(*pieces: bytes) -> bool:
    try:
        read(*pieces)
    except NotHttpError:
        return True
    return False


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


WHOLE: list[tuple[str, bytes, int, bytes, bool]] = [
    ("a length", http_reply(BODY), 200, BODY, True),
    ("a length of nothing", http_reply(b""), 200, b"", True),
    ("chunks", http_stream([b"data: 1\n\n", b"data: 2\n\n"]), 200, b"data: 1\n\ndata: 2\n\n", True),
    ("chunks with extensions", http_head(headers=CHUNKED) + b"2;a=b\r\nok\r\n0\r\n\r\n", 200, b"ok", True),
    ("trailers", http_head(headers=CHUNKED) + b"2\r\nok\r\n0\r\nx-sum: 1\r\nx-a: 2\r\n\r\n", 200, b"ok", True),
    ("early hints, twice", http_head("103 Early", {"link": "x"}) * 2 + http_reply(BODY), 200, BODY, True),
    ("no content", http_head("204 No Content"), 204, b"", True),
    ("not modified, with a length", http_head("304 Not Modified", {"content-length": "9"}), 304, b"", True),
    ("a last reply", http_reply(BODY, headers={"connection": "close"}), 200, BODY, False),
    ("an old server", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", False),
    ("an old server that stays", b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", True),
    ("no reason", b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", True),
    ("odd bytes in a value", b"HTTP/1.1 500 \xff\r\nx-a: \xff\x01\xfe\r\ncontent-length: 0\r\n\r\n", 500, b"", True),
    ("another protocol", http_head("101 Switching", {"upgrade": "x", "connection": "upgrade"}), 101, b"", False),
    ("another protocol, unnamed", http_head("101 Switching"), 101, b"", False),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "body", "reusable"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])  # fmt: skip
def test_a_reply_is_the_same_in_any_two_pieces(data: bytes, status: int, body: bytes, reusable: bool):
    at_once = read(data)
    assert (at_once[0], *at_once[2:]) == (status, body, True, reusable)
    for place in range(1, len(data)):
        assert read(data[:place], data[place:]) == at_once, place
    assert read(*(data[place : place + 1] for place in range(len(data)))) == at_once


framed = st.sampled_from(["length", "chunks", "end"])
bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=4)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20)


@given(bodies, framed, values, st.booleans(), st.lists(st.integers(0, 2000), max_size=8))
def test_any_cut_gives_the_same_reply(parts: list[bytes], frame: str, value: str, hints: bool, at: list[int]):
    head = {"x-a": value, "x-b": "1"}
    body = b"".join(parts)
    match frame:
        case "length":
            data = http_reply(body, headers=head)
        case "chunks":
            data = http_stream(parts, headers=head)
        case _:
            data = http_head(headers=head) + body
    data = (http_head("103 Early Hints", {"link": "x"}) if hints else b"") + data
    got = read(*cut(data, at), ended=frame == "end")
    assert got == read(data, ended=frame == "end")
    assert (got[0], got[2:]) == (200, (body, True, frame != "end"))
    assert ("x-a", value) in got[1]
    assert ("link", "x") not in got[1]


BROKEN: list[tuple[str, bytes]] = [
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("a request", b"POST / HTTP/1.1\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
    ("a length and chunks", http_reply(BODY, headers=CHUNKED)),
    ("a length that is none", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
    ("a size that is none", http_head(headers=CHUNKED) + b"zz\r\n"),
    ("a chunk longer than it says", http_head(headers=CHUNKED) + b"2\r\nabc\r\n"),
    ("compressed chunks", http_head(headers={"transfer-encoding": "gzip, chunked"}) + b"0\r\n\r\n"),
    ("a header of 20 KB", http_reply(BODY, headers={"x-a": "a" * 20_000})),
    ("a head of 20 KB", http_reply(BODY, headers={f"x-{n}": "a" * 1000 for n in range(20)})),
    ("129 headers", http_reply(BODY, headers={f"x-{n}": "" for n in range(127)})),
    ("a head without an end", b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 20_000),
    ("trailers without an end", http_head(headers=CHUNKED) + b"0\r\nx-a: " + b"a" * 20_000),
    ("a chunk's extensions without an end", http_head(headers=CHUNKED) + b"2;" + b"a" * 20_000),
    ("early hints without an end", http_head("103 Early Hints", {"link": "x" * 100}) * 200),
]


@pytest.mark.parametrize("data", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_is_not_http_is_no_reply_in_any_cut(data: bytes):
    assert broken(data)
    assert broken(*(data[start : start + 700] for start in range(0, len(data), 700)))
    assert broken(*(data[start : start + 1] for start in range(len(data))))


def test_a_long_body_behind_a_short_head_is_no_long_head():
    assert read(http_reply(b"x" * 100_000))[2] == b"x" * 100_000


def test_the_end_of_the_connection_ends_a_reply_that_names_no_other():
    assert read(b"HTTP/1.1 200 OK\r\n\r\nok", ended=True)[2:] == (b"ok", True, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        http_head("103 Early"),
        http_reply(b"ok", length=3),
        http_stream([b"a"], ended=False),
    ],
)
def test_the_end_of_the_connection_ends_no_other_reply(data: bytes):
    assert not read(*filter(None, [data]), ended=True)[3]


STRAY = http_reply(b"of somebody else", headers={"x-stray": "1"})


@pytest.mark.parametrize("more", [STRAY, STRAY[:1], STRAY[:14], STRAY[:-3], http_head("103 Early") + STRAY])
@pytest.mark.parametrize("data", [http_reply(BODY), http_stream([BODY])])
def test_a_second_reply_behind_the_first_is_nobodys_and_ends_the_connection(data: bytes, more: bytes):
    status, headers, body, whole, reusable = read(data + more)
    assert (status, body, whole, reusable) == (200, BODY, True, False)
    assert "x-stray" not in dict(headers)


@pytest.mark.parametrize("data", [http_reply(BODY, length=3), http_reply(BODY, length=3, headers={"connection": "close"})])  # fmt: skip
def test_a_length_too_short_is_noticed_by_what_follows(data: bytes):
    assert broken(data)


def test_the_encoding_is_noted():
    reply = Reply()
    reply.feed(http_head(headers={"content-encoding": "GZip", "content-length": "1"}))
    assert reply.encoding == "GZip"


@given(st.lists(st.integers(0, 200), max_size=4))
def test_the_answer_to_a_head_is_whole_with_its_headers_whatever_length_they_speak_of(at: list[int]):
    for length in ("0", "5", "200000000"):
        head = http_head(headers={"content-length": length, "content-type": "audio/mpeg"})
        said = [("content-length", length), ("content-type", "audio/mpeg")]
        assert read_bodiless(head, at) == (200, said, b"", True, True)


def test_a_body_that_follows_the_answer_to_a_head_is_given_to_nobody_and_ends_the_connection():
    assert read_bodiless(http_reply(BODY), [])[2:] == (b"", True, False)
