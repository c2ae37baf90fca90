"""Twenty thousand requests that went wrong on the way: never a 5xx, never a hang, never an exception in the log."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from pennyworth.sandbox import SandboxServer, Settings
from tests.door.raw import Wire, post, question
from tests.door.running import Running, eventually, plan_for
from tests.fuzz.law import mutated

HEADS, AT_ONCE = 6_000, 250
BODIES, IN_A_ROW = 14_000, 100

_BODY = question("What do you know about mutation?", n=1, temperature=0, stream=False, user="u", tools=[], x=[1, 2.5])
_SEEDS = (
    post(_BODY),
    post(_BODY, "Cache-Control: no-cache, max-age=5", "X-Pennyworth-Tags: a,b", "OpenAI-Beta: x"),
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(_BODY), _BODY),
    b"GET /v1/models HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
)
_BITS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff", b" ", b"\t", b":", b",", b";", b"0", b"-1", b"9" * 30, b"%", b"%00", b"%2e%2e/",
    b"Host: b\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: br\r\n",
    b"Authorization: Bearer x\r\n", b"Cache-Control: only-if-cached\r\n", b"HTTP/1.0", b"HTTP/2.0", b"CONNECT ", b"HEAD ", b"OPTIONS ",
)  # fmt: skip
_JSON_BITS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"-0", b"1e999", b"NaN", b"-Infinity", b"9" * 400, b"0.1e-7",
    b'"\\ud800"', b"\\ud800", b"\\u0000", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b'"model":', b'"messages":[],',
    b'"stream":true,', b'"stream_options":{"include_usage":true},', b'"n":3,', b'"n":-1,', b"[" * 200, b'{"a":' * 150, b'"user":7,',
    b'"tools":[{"type":"function","function":{"name":"f"}}],', b'"temperature":1.5,', b'"logprobs":true,', b'"max_tokens":1,',
)  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Running]:
    limits = {"header_timeout_s": 0.1, "body_timeout_s": 0.1}
    with (
        SandboxServer(Settings(seed=1, prompt_faults=False), process=True) as sandbox,
        Running(plan_for(sandbox.base_url, limits=limits)) as running,
    ):
        yield running
        assert running.logged.lines == []
        assert running.troubles == []


def check(statuses: Counter[int], gateway: Running) -> None:
    assert all(100 <= status < 500 for status in statuses), statuses
    assert {200, 400} <= set(statuses), "the mutations are too wild or too tame"
    assert gateway.logged.lines == []
    assert gateway.troubles == []
    with Wire(gateway.port) as wire:
        reply = wire.send(post(_BODY)).read()
        assert reply is not None
        assert reply.status == 200


def test_mutated_requests_on_connections_of_their_own(fuzzed: Running):
    """Half of them in two pieces. Each is answered, or its connection closed without a word."""
    rng, statuses = random.Random(20261122), Counter[int]()
    for _ in range(HEADS // AT_ONCE):
        sent = [(Wire(fuzzed.port), mutated(rng, rng.choice(_SEEDS), _BITS)) for _ in range(AT_ONCE)]
        for wire, data in sent:
            wire.send(data[: len(data) // 2] if len(data) % 2 else data)
        for wire, data in sent:
            if len(data) % 2:
                wire.send(data[len(data) // 2 :])
        for wire, _ in sent:
            with wire, contextlib.suppress(ConnectionError):
                line = wire.socket.recv(13)
                statuses[int(line[9:12]) if line else 400] += 1
    check(statuses, fuzzed)
    assert eventually(lambda: fuzzed.connections() == 0)
    assert fuzzed.flights() == 0


def test_mutated_bodies_on_one_connection(fuzzed: Running):
    """Each is answered, and the next is read from the right byte on."""
    rng, statuses = random.Random(20261123), Counter[int]()
    with Wire(fuzzed.port) as wire:
        for _ in range(BODIES // IN_A_ROW):
            bodies = [mutated(rng, _BODY, _JSON_BITS) for _ in range(IN_A_ROW)]
            wire.send(b"".join(map(post, bodies)))
            for body in bodies:
                reply = wire.read()
                assert reply is not None, body
                statuses[reply.status] += 1
                assert reply.status < 400 or reply.body.startswith(b'{"error":{"message":"'), body
    check(statuses, fuzzed)
    receipts = fuzzed.receipts()
    assert len({receipt.id for receipt in receipts}) == len(receipts)
