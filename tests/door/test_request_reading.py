"""Bad requests over raw sockets: each is told what was wrong with it, and the gateway goes on serving.

A row is what is sent, the status, words of the message, and what the receipt says ("" = there is none: it was not
known who asked).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.door.raw import Wire, post, question
from tests.door.running import Running

Q = question("What is in the post?")
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(Q)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def raw(body: bytes) -> bytes:
    return post(body)


def deep(levels: int) -> bytes:
    return b'{"model":"m","messages":[{}],"x":' + b"[" * levels + b"]" * levels + b"}"


BODIES: list[tuple[str, bytes, int, str, str]] = [
    ("nothing", b"", 400, "not valid JSON", "invalid_json"),
    ("no JSON", b"hello", 400, "not valid JSON: Expecting value (line 1, column 1)", "invalid_json"),
    ("half JSON", b'{"model": "m", "mess', 400, "not valid JSON", "invalid_json"),
    ("two values", b"{} {}", 400, "not valid JSON: Extra data", "invalid_json"),
    ("a comma too many", b'{"model": "m",}', 400, "not valid JSON", "invalid_json"),
    ("single quotes", b"{'model': 'm'}", 400, "not valid JSON", "invalid_json"),
    ("an array", b"[1, 2]", 400, "is a JSON array, not an object", "invalid_body"),
    ("null", b"null", 400, "is a JSON null, not an object", "invalid_body"),
    ("bad UTF-8", b'{"model": "m\xff"}', 400, "not UTF-8: byte 12 is 0xff", "invalid_body"),
    ("overlong UTF-8", b'{"model": "\xc0\xaf"}', 400, "not UTF-8", "invalid_body"),
    ("a byte order mark", b"\xef\xbb\xbf" + Q, 400, "byte order mark", "invalid_json"),
    ("UTF-16", Q.decode().encode("utf-16"), 400, "not UTF-8", "invalid_body"),
    ("a key twice", b'{"model":"a","model":"b","messages":[{}]}', 400, "'model' stands twice", "duplicate_key"),
    ("a key twice, escaped", b'{"model":"a","mod\\u0065l":"b","messages":[{}]}', 400, "stands twice", "duplicate_key"),
    ("129 levels", deep(129), 400, "deeper than 128 levels", "too_deep"),
    ("100,000 levels", deep(100_000), 400, "nested", "too_deep"),
    ("no model", b'{"messages":[{}]}', 400, "model", "invalid_value: model"),
    ("an empty model", question(model=""), 400, "name of a model is needed", "invalid_value: model"),
    ("a number for a model", question(model=4), 400, "model", "invalid_value: model"),
    ("a line break in a model", question(model="gpt\r\nx-evil: 1"), 400, "model", "invalid_value: model"),
    ("a model of 2,000 characters", question(model="m" * 2000), 400, "model", "invalid_value: model"),
    ("half a surrogate in a model", b'{"model":"\\ud800","messages":[{}]}', 400, "model", "invalid_value: model"),
    ("no messages", b'{"model":"m"}', 400, "messages", "invalid_value: messages"),
    ("messages that are text", question(messages="hi"), 400, "messages", "invalid_value: messages"),
    ("an empty list of messages", question(messages=[]), 400, "at least one message", "invalid_value: messages"),
    ("a message that is text", question(messages=[{}, "hi"]), 400, "messages[1]", "invalid_value: messages[1]"),
    ("stream as text", question(stream="yes"), 400, "true or false", "invalid_value: stream"),
    ("stream options as a list", question(stream_options=[]), 400, "object", "invalid_value: stream_options"),
    ("n = 0", question(n=0), 400, "n", "invalid_value: n"),
    ("n = -5", question(n=-5), 400, "n", "invalid_value: n"),
    ("n = true", question(n=True), 400, "n", "invalid_value: n"),
    ("n = 1.5", question(n=1.5), 400, "n", "invalid_value: n"),
    ("another host", question(base_url="http://evil.example"), 400, "base_url is not accepted", "invalid_value: base_url"),
    ("a key in the body", question(api_key="sk-mine"), 400, "api_key is not accepted", "invalid_value: api_key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "words", "booked"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_bad_body_is_refused_in_words_and_the_connection_goes_on(
    gateway: Running, body: bytes, status: int, words: str, booked: str
):
    with Wire(gateway.port) as wire:
        refused = wire.send(post(body)).read()
        assert refused is not None
        assert (refused.status, words in refused.error["message"]) == (status, True), refused.error
        assert refused.error["type"] == "invalid_request_error"
        receipt = gateway.last()
        assert (receipt.id, receipt.reason) == (refused.headers["x-pennyworth-receipt"], booked)
        assert (receipt.ending, receipt.served, receipt.status) == ("refused", "none", status)
        after = wire.send(post(Q)).read()
        assert after is not None
        assert after.status == 200


HEADS: list[tuple[str, bytes, int, str]] = [
    ("two Host headers", HEAD + b"Host: evil\r\n" + LENGTH + Q, 400, "Two Host headers"),
    ("no Host", b"POST /v1/chat/completions HTTP/1.1\r\n" + LENGTH + Q, 400, "Host header is missing"),
    ("a header block of 100 KB", post(Q, "X-A: " + "a" * 100_000), 431, "65536 bytes"),
    ("a target of 100 KB", post(Q, path="/v1/" + "a" * 100_000), 431, "65536 bytes"),
    ("a head without an end", HEAD + b"X-A: b\r\n" * 20_000, 431, "65536 bytes"),
    ("101 headers", post(Q, *[f"X-{i}: 1" for i in range(99)]), 431, "At most 100 headers"),
    ("a folded header", HEAD + b"X-A: b\r\n c\r\n" + LENGTH + Q, 400, "Unexpected whitespace after header value"),
    ("coding and length", HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + Q, 400, "can't be present with"),
    ("length and coding", HEAD + LENGTH[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + Q, 400, "can't be present"),
    ("two lengths", HEAD + LENGTH[:-2] + LENGTH + Q, 400, "Duplicate Content-Length"),
    ("two codings", HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", 400, "not valid HTTP"),
    ("another coding", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "may only be chunked"),
    ("no coding we know", HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "chunked"),
    ("bare line feeds", post(Q).replace(b"\r\n", b"\n"), 400, "Expected CRLF"),
    ("a bare line feed in a header", HEAD + b"X-A: b\nX-B: c\r\n" + LENGTH + Q, 400, "not valid HTTP"),
    ("a bare carriage return", HEAD + b"X-A: b\rX-B: c\r\n" + LENGTH + Q, 400, "not valid HTTP"),
    ("a space before the colon", HEAD + b"Content-Length : 5\r\n\r\n" + Q, 400, "Invalid header field char"),
    ("a zero byte", HEAD + b"X-A: a\x00b\r\n" + LENGTH + Q, 400, "Invalid header value char"),
    ("a negative length", HEAD + b"Content-Length: -5\r\n\r\n" + Q, 400, "Content-Length"),
    ("a length in hex", HEAD + b"Content-Length: 0x20\r\n\r\n" + Q, 400, "Content-Length"),
    ("a length beyond 64 bits", HEAD + b"Content-Length: 99999999999999999999\r\n\r\n" + Q, 400, "Content-Length"),
    ("two credentials", post(Q, "Authorization: Bearer a", "Authorization: Bearer b"), 400, "it is not clear who asks"),
    ("no such method", b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Invalid method"),
    ("no version", b"GET /healthz\r\n\r\n", 400, "in HTTP/0.9. Let your client use HTTP/1.1"),
    ("HTTP/2.0 by name", post(Q, version="HTTP/2.0"), 400, "in HTTP/2.0"),
    ("HTTP/3.0", b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n", 400, "Invalid HTTP version"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "This is HTTP/2"),
    ("TLS", bytes.fromhex("16030102000100") + b"x" * 60, 400, "Use http:// as base URL"),
    ("use as a proxy", b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "The gateway is no proxy"),
    ("a target that is none", b"GET ::: HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not valid HTTP"),
    ("a target that is no ASCII", post(Q, path="/v1/\xe4"), 400, "target cannot be read"),
    ("garbage", bytes(range(256)), 400, "not valid HTTP"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "status", "words"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_a_bad_head_is_refused_in_words_and_the_connection_closed(
    gateway: Running, sent: bytes, status: int, words: str
):
    before = len(gateway.receipts())
    with Wire(gateway.port) as wire:
        refused = wire.send(sent).read()
        assert refused is not None
        assert (refused.status, words in refused.error["message"]) == (status, True), refused.error
        assert refused.headers["connection"] == "close"
        assert wire.closed()
    assert len(gateway.receipts()) == before
    with Wire(gateway.port) as wire:
        after = wire.send(post(Q)).read()
        assert after is not None
        assert after.status == 200


BROKEN: list[tuple[str, bytes, str]] = [
    ("a chunk size that is none", CHUNKED + b"zz\r\nhello", "Invalid character in chunk size"),
    ("a chunk longer than it says", CHUNKED + b"2\r\nhello\r\n0\r\n\r\n", "chunk data"),
    ("a chunk size beyond 64 bits", CHUNKED + b"f" * 17 + b"\r\nhello", "not valid HTTP"),
    ("trailers of 1 MB", CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-A: " + b"a" * 1_000_000, "larger than 65536"),
    ("a chunk extension of 1 MB", CHUNKED + b"2;" + b"a" * 1_000_000, "larger than 65536"),
]


@pytest.mark.parametrize(("sent", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_body_that_breaks_is_refused_with_a_receipt(gateway: Running, sent: bytes, words: str):
    with Wire(gateway.port) as wire:
        refused = wire.send(sent).read()
        assert refused is not None
        assert (refused.status, refused.error["code"]) == (400, "broken_body")
        assert words in refused.error["message"]
        assert refused.headers["connection"] == "close"
        assert gateway.last().id == refused.headers["x-pennyworth-receipt"]


ELSEWHERE: list[tuple[str, bytes, int, str]] = [
    ("an unknown path", b"GET /v2/things HTTP/1.1\r\nHost: a\r\n\r\n", 404, "There is nothing at /v2/things"),
    ("the base URL without /v1", post(Q, path="/chat/completions"), 404, "the base URL of an SDK ends in /v1"),
    ("the base URL with /v1 twice", post(Q, path="/v1/v1/chat/completions"), 404, "ends in /v1"),
    ("the root", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404, "There is nothing at /"),
    ("a path out of the root", b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 404, "There is nothing"),
    ("a path with odd escapes", b"GET /%00%ff%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n", 404, "There is nothing"),
    ("GET of completions", b"GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n", 405, "takes POST only"),
    ("DELETE of models", b"DELETE /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", 405, "takes GET only"),
    ("OPTIONS of everything", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404, "There is nothing"),
    ("a compressed body", post(b"\x1f\x8b\x08", "Content-Encoding: gzip"), 415, "Send it uncompressed"),
]


@pytest.mark.parametrize(("sent", "status", "words"), [row[1:] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE])
def test_what_is_not_there_is_said_and_the_connection_goes_on(gateway: Running, sent: bytes, status: int, words: str):
    with Wire(gateway.port) as wire:
        refused = wire.send(sent).read()
        assert refused is not None
        assert (refused.status, words in refused.error["message"]) == (status, True), refused.error
        if status == 405:
            assert refused.headers["allow"]
        after = wire.send(post(Q)).read()
        assert after is not None
        assert after.status == 200


FINE: list[tuple[str, bytes]] = [
    ("an absolute target", post(Q, path="http://elsewhere.example/v1/chat/completions")),
    ("an escaped path", post(Q, path="/v1/chat%2Fcompletions")),
    ("a query", post(Q, path="/v1/chat/completions?api-version=1")),
    ("chunks", CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(Q), Q)),
    ("chunks of one byte", CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in Q) + b"0\r\n\r\n"),
    ("chunks with extensions", CHUNKED + b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(Q), Q)),
    ("trailers, which are no headers", CHUNKED + b"%x\r\n%s\r\n0\r\nCache-Control: no-store\r\n\r\n" % (len(Q), Q)),
    ("empty lines first", b"\r\n\r\n" + post(Q)),
    ("odd bytes in a header", post(Q, "X-Name: J\xfcrgen")),
    ("HTTP/1.0 without a host", b"POST /v1/chat/completions HTTP/1.0\r\n" + LENGTH + Q),
    ("a wish for h2c, as Java's client has it", post(Q, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")),
]  # fmt: skip


@pytest.mark.parametrize("sent", [row[1] for row in FINE], ids=[row[0] for row in FINE])
@pytest.mark.parametrize("cut", ["whole", "at every byte"])
def test_odd_but_proper_requests_are_served_however_they_arrive(gateway: Running, sent: bytes, cut: str):
    with Wire(gateway.port) as wire:
        wire.send(post(Q)).read()
        for part in [sent] if cut == "whole" else [sent[i : i + 1] for i in range(len(sent))]:
            wire.send(part)
        reply = wire.read()
        assert reply is not None
        assert reply.status == 200
        assert "; hit;" in reply.headers["cache-status"]


def test_half_a_surrogate_or_a_huge_number_is_forwarded_but_never_kept(gateway: Running, ask_about: Callable[[], str]):
    for odd in (b'"\\ud800"', b"1e999", b"18446744073709551617", b"NaN", b'{"a":1,"a":2}'):
        body = question(ask_about())[:-1] + b', "x": ' + odd + b"}"
        with Wire(gateway.port) as wire:
            statuses = [reply.status for _ in range(2) if (reply := wire.send(post(body)).read())]
        assert len(statuses) == 2
        assert set(statuses) <= {200, 400}, "400 is the provider's word for what it does not take"
        assert gateway.last().served in ("upstream", "none", "exact")
        assert all(receipt.reason for receipt in gateway.receipts()[-2:])
