"""One connection, many requests: order, keep-alive, slowness, early answers, and clients of the old kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import (
    await_close,
    connection,
    http_head,
    send,
    until,
)
from tests.door.conftest import MakeGateway
from tests.door.raw import Wire, post, question
from tests.door.running import Running, eventually, plan_for
from tests.door.scripted_provider import last_reply, last_stream

Ask = Callable[[], str]

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    """A gateway that waits for nobody, and asks nobody."""
    limits = {"header_timeout_s": 0.3, "body_timeout_s": 0.3, "max_body_bytes": 50_000}
    with Running(plan_for("http://127.0.0.1:9/v1", limits=limits)) as running:
        yield running
        assert running.logged.lines == []


def test_a_thousand_requests_share_one_connection(gateway: Running):
    body = post(question("What is for lunch?"))
    with Wire(gateway.port) as wire:
        for _ in range(1000):
            reply = wire.send(body).read()
            assert reply is not None
            assert reply.status == 200
        assert gateway.connections() >= 1


def test_pipelined_requests_are_answered_in_their_order(gateway: Running, ask_about: Ask):
    questions = [ask_about() for _ in range(20)]
    with Wire(gateway.port) as wire:
        wire.send(b"".join(post(question(text)) + HEALTH for text in questions))
        replies = [wire.read() for _ in range(40)]
        assert all(reply is not None and reply.status == 200 for reply in replies)
        assert all(reply is not None and reply.body == b'{"status":"ok"}' for reply in replies[1::2])
        again = [wire.send(post(question(text))).read() for text in questions]
    assert [reply.body for reply in replies[::2] if reply] == [reply.body for reply in again if reply]


def test_a_bad_request_behind_others_is_answered_last(gateway: Running, ask_about: Ask):
    with Wire(gateway.port) as wire:
        wire.send(post(question(ask_about())) + HEALTH + b"GARBAGE\r\n\r\n" + HEALTH)
        statuses = [reply.status for _ in range(3) if (reply := wire.read())]
        assert statuses == [200, 200, 400]
        assert wire.closed(), "what follows a request that cannot be read cannot be read either"


def test_a_bad_request_does_not_break_into_a_stream(scripted: MakeGateway):
    """It comes while the reply before it is half out: written at once it would stand in the middle of that."""
    events, go_on = chat_events(["Hel", "lo"]), asyncio.Event()
    begun, rest = last_stream(events[:2], ended=False), b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in events[2:])
    gateway, provider = scripted([connection(send(begun), until(go_on), send(rest + b"0\r\n\r\n"))])
    with Wire(gateway.port) as wire:
        wire.send(post(question(stream=True)))
        assert wire.socket.recv(1)
        wire.send(b"GARBAGE\r\n\r\n")
        time.sleep(0.1)
        provider.release(go_on)
        wire.socket.recv(11)  # the rest of "HTTP/1.1 200" is not needed; what follows is
        everything = _rest(wire)
    assert everything.count(b"data: ") == len(events)
    stream, _, refusal = everything.partition(b"0\r\n\r\nHTTP/1.1 ")
    assert b"HTTP/1.1" not in stream
    assert refusal.startswith(b"400 ")


def test_a_request_that_is_refused_takes_those_behind_it_along(gateway: Running):
    """They may be part of what was ambiguous (request smuggling)."""
    before = len(gateway.receipts())
    two_hosts = post(question("one"), "Host: evil")
    with Wire(gateway.port) as wire:
        refused = wire.send(two_hosts + post(question("two"))).read()
        assert refused is not None
        assert refused.status == 400
        assert wire.closed()
    assert len(gateway.receipts()) == before


def test_the_end_of_a_head_in_parts_is_awaited_and_then_not(hasty: Running):
    with Wire(hasty.port) as wire:
        for part in (b"GET /heal", b"thz HTTP/1.1\r\nHo", b"st: a\r\n\r\n"):
            wire.send(part)
            time.sleep(0.05)
        assert (reply := wire.read())
        assert reply.status == 200
        refused = wire.send(b"POST /v1/ch").read()
        assert refused is not None
        assert (refused.status, refused.headers["connection"]) == (408, "close")
        assert (
            refused.error["message"]
            == "The request head did not come within limits.header_timeout (0.3 s). Send it at once."
        )
        assert wire.closed()


def test_a_head_that_drips_is_no_way_around_its_time(hasty: Running):
    with Wire(hasty.port) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\n")
        started = time.monotonic()
        while time.monotonic() - started < 5.0:
            wire.send(b"X-A: b\r\n")
            time.sleep(0.02)
            wire.socket.settimeout(0.001)
            try:
                wire.socket.recv(1)
                break
            except TimeoutError:
                continue
        assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(hasty: Running, said: bytes):
    with Wire(hasty.port) as wire:
        assert wire.send(said).closed()


def test_empty_lines_between_requests_do_not_hold_a_connection(hasty: Running):
    with Wire(hasty.port) as wire:
        assert wire.send(HEALTH).read()
        assert wire.send(b"\r\n").closed()


@pytest.mark.parametrize("wish", ["Upgrade: h2c", "Upgrade: websocket\r\nSec-WebSocket-Key: eA=="])
def test_a_wish_for_another_protocol_is_passed_over(gateway: Running, wish: str):
    """In the first request of a connection, as Java's client and curl --http2 have it; with a body and without."""
    wishing = f"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n{wish}\r\n\r\n".encode()
    asking = post(question("What is for tea?"), "Connection: Upgrade", wish)
    for first, second in ((wishing, asking), (asking, wishing)):
        with Wire(gateway.port) as wire:
            statuses = [reply.status for part in (first, second, first + second) if (reply := wire.send(part).read())]
            assert statuses == [200, 200, 200]
            assert (last := wire.read())
            assert last.status == 200


def test_a_slow_body_is_refused_with_a_receipt(hasty: Running):
    with Wire(hasty.port) as wire:
        refused = wire.send(post(question("slow"))[:-4]).read()
        assert refused is not None
        assert (refused.status, refused.headers["connection"], refused.error["code"]) == (408, "close", "body_timeout")
        assert "limits.body_timeout (0.3 s)" in refused.error["message"]
        assert hasty.last().id == refused.headers["x-pennyworth-receipt"]
        assert (hasty.last().ending, hasty.last().reason) == ("refused", "body_timeout")


def test_a_caller_who_leaves_in_the_middle_of_his_body_has_a_receipt(hasty: Running):
    before = len(hasty.receipts())
    with Wire(hasty.port) as wire:
        wire.send(post(question("gone"))[:-4])
        time.sleep(0.05)
    assert eventually(lambda: len(hasty.receipts()) == before + 1)
    assert (hasty.last().ending, hasty.last().status) == ("caller_left", 499)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused_and_the_reply_arrives(hasty: Running, chunked: bool):
    """Though the client writes all of its body before it reads: closing at once would reset the connection."""
    body = question("x" * 3_000_000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    framed = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with Wire(hasty.port) as wire:
        refused = wire.send(framed if chunked else post(body)).read()
        assert refused is not None
        assert (refused.status, refused.headers["connection"], refused.error["code"]) == (
            413,
            "close",
            "body_too_large",
        )
        assert "limits.max_body_bytes (50000)" in refused.error["message"]
    assert (hasty.last().status, hasty.last().reason) == (413, "body_too_large")


def test_a_body_announced_too_large_is_refused_before_it_is_sent(hasty: Running):
    with Wire(hasty.port) as wire:
        wire.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"
        )
        refused = wire.read()
        assert refused is not None
        assert refused.status == 413


def test_a_client_that_waits_for_continue_is_told_to_go_on(gateway: Running):
    body = question("What is for supper?")
    with Wire(gateway.port) as wire:
        wire.send(post(body, "Expect: 100-continue")[: -len(body)])
        told = wire.read()
        assert told is not None
        assert told.status == 100
        reply = wire.send(body).read()
        assert reply is not None
        assert reply.status == 200


def test_an_answer_before_the_body_ends_the_connection(hasty: Running):
    """Whether the body still comes cannot be known, so what comes next might be a body or a request."""
    with Wire(hasty.port) as wire:
        refused = wire.send(post(b"x" * 100, "Expect: 100-continue", path="/v1/models")[:-100]).read()
        assert refused is not None
        assert (refused.status, refused.headers["connection"]) == (405, "close")
        wire.send(HEALTH)
        assert wire.closed(), "and what comes next is not read"


def test_head_is_answered_without_a_body(gateway: Running):
    for path in ("/healthz", "/v1/models", "/nothing"):
        with Wire(gateway.port) as wire:
            wire.send(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + HEALTH)
            everything = b""
            while b'{"status":"ok"}' not in everything:
                everything += wire.socket.recv(65536)
        first, second = everything.split(b"\r\n\r\n", 1)
        assert int(first.split(b"content-length: ")[1].split(b"\r\n")[0]) > 0
        assert second.startswith(b"HTTP/1.1 200")


def test_a_stream_for_http_1_0_ends_with_its_connection(gateway: Running, ask_about: Ask):
    """Chunks came with HTTP/1.1; nginx asks in HTTP/1.0 unless told otherwise."""
    body = question(ask_about(), stream=True)
    with Wire(gateway.port) as wire:
        live = wire.send(post(body, version="HTTP/1.0")).read()
        assert live is not None
        assert "transfer-encoding" not in live.headers
        assert live.headers["connection"] == "close"
        assert live.body.startswith(b"data: {")
        assert live.body.endswith(b"data: [DONE]\n\n")
    with Wire(gateway.port) as wire:
        again = wire.send(post(body, version="HTTP/1.0")).read()
        assert again is not None
        assert again.body == live.body


def test_a_caller_of_http_1_0_who_leaves_ends_his_stream(scripted: MakeGateway):
    endless = connection(send(last_stream(chat_events(["Hel"])[:2], ended=False)), await_close())
    gateway, provider = scripted([endless])
    with Wire(gateway.port) as wire:
        wire.send(post(question(stream=True), version="HTTP/1.0"))
        assert wire.socket.recv(1)
    assert eventually(lambda: not provider.playing, 2.0)
    assert gateway.last().ending == "caller_left"


def test_a_body_reaches_the_provider_byte_for_byte(scripted: MakeGateway):
    """Spaces, order, numbers and fields nobody knows; in one piece or in chunks."""
    odd = '{ "n" : 1 ,"x_unknown":{"big":123456789012345678901234567890,"f":1.50,"e":1E5},\n"messages":[{"role":"user","content":"h\\u00ed 😀"}],"model":"gpt-4o-mini" }'
    body = odd.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nCache-Control: no-store\r\n"
    gateway, provider = scripted(then=connection(send(last_reply(chat_json("yes")))))
    with Wire(gateway.port) as wire:
        for sent in (
            post(body, "Cache-Control: no-store"),
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        ):
            reply = wire.send(sent).read()
            assert reply is not None
            assert reply.status == 200
    assert provider.bodies == [body, body]


def test_headers_given_in_several_lines_count_as_one_list(gateway: Running, ask_about: Ask):
    body = question(ask_about())
    with Wire(gateway.port) as wire:
        wire.send(post(body)).read()
        reply = wire.send(post(body, "Cache-Control: no-store", "Cache-Control: max-stale=5")).read()
        assert reply is not None
        assert "hit" not in reply.headers["cache-status"], "the second line must not hide the first"
    assert gateway.last().served == "upstream"


def test_a_gateway_that_drains_sends_new_requests_away_and_finishes_the_others(scripted: MakeGateway):
    slow, go_on = chat_json("in the end"), asyncio.Event()
    gateway, provider = scripted([connection(until(go_on), send(last_reply(slow)))])
    with Wire(gateway.port) as waiting, Wire(gateway.port) as late:
        late.send(HEALTH).read()
        waiting.send(post(question("slow")))
        assert eventually(lambda: bool(provider.requests))
        gateway.look(lambda: setattr(gateway.runtime.state, "draining", True))
        turned_away = late.send(post(question("late"))).read()
        assert turned_away is not None
        assert (turned_away.status, turned_away.headers["retry-after"]) == (503, "1")
        ready = late.send(HEALTH.replace(b"healthz", b"readyz")).read()
        assert ready is not None
        assert ready.status == 503
        provider.release(go_on)
        reply = waiting.read()
        assert reply is not None
        assert (reply.status, reply.body) == (200, slow)


def _rest(wire: Wire) -> bytes:
    everything = b""
    while data := wire.socket.recv(65536):
        everything += data
    return everything


def test_a_stopped_gateway_ends_a_stream_with_an_error_event(scripted: MakeGateway):
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    event = chat_events(["Hel"])[1]
    endless = connection(send(http_head(headers=head) + b"%x\r\n%s\r\n" % (len(event), event)), await_close())
    gateway, _ = scripted([endless], limits={"drain_s": 0.2})
    with Wire(gateway.port) as wire:
        wire.send(post(question(stream=True)))
        assert eventually(lambda: gateway.flights() == 1)
        gateway.loop.call_soon_threadsafe(gateway.stop)
        reply = wire.read()
    assert reply is not None
    assert b"the gateway is shutting down (limits.drain = 0.2 s)" in reply.body
    assert reply.body.rstrip().split(b"\n\n")[-1].startswith(b'data: {"error":')
