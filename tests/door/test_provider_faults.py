"""A provider that fails in every way a socket can: the caller is told in his dialect, nothing of it is kept, and the
next question is asked anew."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator

import pytest

from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json, error_json, event
from pennyworth.testing.scripted_server import (
    Connection,
    Send,
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
from tests.door.conftest import MakeGateway
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, eventually, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream

Ask = Callable[[], str]
EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))
ROLE, HEL, LO, FINISH, USAGE, END = EVENTS
WHOLE = last_reply(chat_json("hello"))
STREAMED = last_stream(EVENTS)
EVENT_STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Running, ScriptedProvider]]:
    """With times short enough to wait for."""
    times = {"connect_s": 1.0, "idle_s": 0.25, "total_s": 0.5}
    with ScriptedProvider() as provider, Running(plan_for(provider.base_url, provider=times)) as running:
        yield running, provider
        assert running.logged.lines == []
        assert running.troubles == []
        assert eventually(lambda: running.flights() == 0)


Stage = tuple[Running, ScriptedProvider]


def ask(running: Running, text: str, *, stream: bool) -> RawReply:
    with Wire(running.port) as wire:
        reply = wire.send(post(question(text, stream=stream))).read()
    assert reply is not None
    return reply


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BEFORE_THE_REPLY: list[tuple[str, Connection, int, str]] = [
    ("a reset", connection(reset()), 502, "the connection was closed before the reply"),
    ("an end", connection(), 502, "the connection was closed before the reply"),
    ("half a head", connection(send(b"HTTP/1.1 200 OK\r\nCont")), 502, "closed before the reply"),
    ("another protocol", connection(send(b"SSH-2.0-OpenSSH\r\n")), 502, "not HTTP (providers.openai.base_url"),
    ("silence", connection(await_close()), 504, "timed out"),
    ("compression nobody asked for", connection(send(last_reply(b"\x1f\x8b", headers={"content-encoding": "gzip"}))), 502, "'gzip' although identity"),
    ("a redirect", connection(send(last_reply(b"", status="307 Go", headers={"location": "http://127.0.0.1:9/"}))), 502, "a redirect, which is not followed"),
    ("another protocol on offer", connection(send(http_head("101 Switching", {"upgrade": "x", "connection": "upgrade"})), await_close()), 502, "no choices"),
    ("a refused credential", connection(send(last_reply(error_json("no"), status="401 No"))), 401, "(OPENAI_API_KEY)"),
    ("an overload", connection(send(last_reply(error_json("wait"), status="429 Slow"))), 429, "wait"),
    ("an outage", connection(send(last_reply(error_json("down"), status="503 Down"))), 503, "down"),
    ("odd bytes in its headers", connection(send(b"HTTP/1.1 500 \xff\xfe\r\nx-request-id: \xff\x01\xfe\r\nx-ratelimit-a: \x01\r\ncontent-type: \x01\xff\r\ncontent-length: 2\r\n\r\n{}")), 500, ""),
]  # fmt: skip

IN_THE_BODY: list[tuple[str, Connection]] = [
    ("an empty body", connection(send(last_reply(b"")))),
    ("a body cut short", connection(send(last_reply(chat_json("hello"), length=9999)))),
    ("a body cut short by a reset", connection(send(last_reply(chat_json("hello"), length=9999)), reset())),
    ("a length too short", connection(send(last_reply(chat_json("hello"), length=50)))),
    ("half JSON that ends properly", connection(send(last_reply(chat_json("hello")[:-30])))),
    ("no JSON", connection(send(last_reply(b"<html>sorry</html>")))),
    ("no choice", connection(send(last_reply(b'{"object":"chat.completion","choices":[]}')))),
    ("no reason for its end", connection(send(last_reply(chat_json("hello", finish=None))))),
    ("an error in a reply of 200", connection(send(last_reply(error_json("sorry"))))),
    ("a malformed chunk", connection(send(http_head(headers={"transfer-encoding": "chunked"}) + b"zz\r\n{}"))),
    ("silence in the middle", connection(send(last_reply(chat_json("hello"))[:-20]), await_close())),
    (
        "the end of an old connection in the middle",
        connection(send(b"HTTP/1.0 200 OK\r\n\r\n" + chat_json("hello")[:-9])),
    ),
]

IN_THE_STREAM: list[tuple[str, Connection]] = [
    ("an end", connection(send(last_stream([ROLE, HEL], ended=False)))),
    ("a reset", connection(send(last_stream([ROLE, HEL], ended=False)), reset())),
    ("an end within an event", connection(send(last_stream([ROLE, HEL, LO[:30]], ended=False)))),
    ("silence", connection(send(last_stream([ROLE, HEL], ended=False)), await_close())),
    ("a malformed chunk", connection(send(last_stream([ROLE, HEL], ended=False) + b"zz\r\n"))),
    ("a proper end of half a reply", connection(send(last_stream([ROLE, HEL])))),
    ("a last word without a reason", connection(send(last_stream([ROLE, HEL, LO, DONE])))),
    ("an error event", connection(send(last_stream([ROLE, HEL, event({"error": {"message": "overloaded"}})])))),
    ("an event that is no JSON", connection(send(last_stream([ROLE, HEL, b"data: {oops\n\n", FINISH, END])))),
    ("JSON after the events", connection(send(last_stream([ROLE, HEL, b'{"error":{"message":"late"}}'])))),
    ("nothing but the role", connection(send(last_stream([ROLE])))),
    ("no events at all", connection(send(last_stream([])))),
    ("an end with its connection", connection(send(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + ROLE + HEL))),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("script", "status", "words"), [row[1:] for row in BEFORE_THE_REPLY], ids=[row[0] for row in BEFORE_THE_REPLY]
)
def test_a_failure_before_the_reply_is_an_error_that_says_what_to_look_at(
    stage: Stage, ask_about: Ask, script: Connection, status: int, words: str, stream: bool
):
    running, provider = stage
    provider.play(script, connection(send(STREAMED if stream else WHOLE)))
    text = ask_about()
    told = ask(running, text, stream=stream)
    assert (told.status, words in told.body.decode()) == (status, True), told
    receipt = running.last()
    assert receipt.id == told.headers["x-pennyworth-receipt"]
    assert (receipt.served, receipt.ending) in (("none", "error"), ("none", "cut"))
    assert receipt.status == status
    assert receipt.attempts[0].target == "openai/gpt-4o-mini"
    assert not receipt.would_have_cost or receipt.basis == "estimated"
    assert ask(running, text, stream=stream).status == 200
    assert running.last().served == "upstream"


@pytest.mark.parametrize("script", [row[1] for row in IN_THE_BODY], ids=[row[0] for row in IN_THE_BODY])
def test_a_body_that_is_not_whole_is_never_given_as_whole(stage: Stage, ask_about: Ask, script: Connection):
    running, provider = stage
    provider.play(script, connection(send(WHOLE)))
    text = ask_about()
    told = ask(running, text, stream=False)
    receipt = running.last()
    assert receipt.ending in ("cut", "error")
    assert receipt.attempts[0].ending in ("cut", "error")
    if told.status == 200:  # it came to its proper end: whatever it is worth, a direct caller would have got it too
        assert told.body == body_of(script)
    else:
        assert (told.status, told.error["type"]) in ((502, "api_error"), (504, "api_error"))
    assert ask(running, text, stream=False).status == 200
    assert running.last().served == "upstream"


def body_of(script: Connection) -> bytes:
    """What this provider says after its head."""
    return next(step.data for step in script if isinstance(step, Send)).partition(b"\r\n\r\n")[2]


def test_a_reply_without_content_is_passed_on_as_such(stage: Stage, ask_about: Ask):
    running, provider = stage
    provider.play(connection(send(http_head("204 No Content"))))
    with Wire(running.port) as wire:
        wire.send(post(question(ask_about())) + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, rest = wire.socket.recv(4096).partition(b"\r\n\r\n")
        while b"ok" not in rest:
            rest += wire.socket.recv(4096)
    assert head.startswith(b"HTTP/1.1 204")
    assert b"content-length" not in head
    assert rest.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("script", [row[1] for row in IN_THE_STREAM], ids=[row[0] for row in IN_THE_STREAM])
def test_a_stream_that_is_not_whole_ends_in_an_error_and_is_not_kept(stage: Stage, ask_about: Ask, script: Connection):
    running, provider = stage
    provider.play(script, connection(send(STREAMED)))
    text = ask_about()
    told = ask(running, text, stream=True)
    receipt = running.last()
    assert receipt.ending in ("cut", "error")
    if told.status == 200:
        last = [part for part in told.body.split(b"\n\n") if part.strip() and part != b"data: [DONE]"][-1]
        assert b'"error"' in last or b"oops" in told.body, told.body
        assert json.loads(last.removeprefix(b"data: "))["error"]["message"] or b"oops" in told.body
    else:
        assert told.error["type"] == "api_error"
    again = ask(running, text, stream=True)
    assert again.body.endswith(DONE)
    assert running.last().served == "upstream"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_connection_closed_by_the_provider_between_two_requests_is_no_error(
    stage: Stage, ask_about: Ask, stream: bool
):
    running, provider = stage
    for _ in range(20):
        provider.play(connection(send(http_stream(EVENTS) if stream else http_reply(chat_json("hello")))))
        assert ask(running, ask_about(), stream=stream).status == 200


def test_early_hints_and_a_body_in_single_bytes_change_nothing(stage: Stage, ask_about: Ask):
    running, provider = stage
    slowly = send(http_head("103 Early Hints", {"link": "x"}) + WHOLE, slice_bytes=1)
    provider.play(connection(slowly), connection(send(STREAMED, slice_bytes=1)))
    assert ask(running, ask_about(), stream=False).body == chat_json("hello")
    assert ask(running, ask_about(), stream=True).body.count(b"data: ") == len(EVENTS) - 1, "less the hidden usage"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_endless_reply_is_ended_at_the_limit_and_costs_no_memory(scripted: MakeGateway, stream: bool):
    """64 MB are on offer, 4 MB are the limit."""
    piece = event({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}) * 60 if stream else b" " * 65536
    flood = [send(http_head(headers=EVENT_STREAM if stream else {"transfer-encoding": "chunked"}))]
    flood += [send(chunk(piece))] * 1000
    running, provider = scripted([connection(*flood)], limits={"max_reply_bytes": 4 * 2**20})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = ask(running, "how long?", stream=stream)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    words = "the reply is longer than limits.max_reply_bytes (4194304)"
    assert words in told.body[-1000:].decode()
    assert told.status == (200 if stream else 502)
    assert eventually(lambda: not provider.playing, 2.0), "the provider's connection is closed"
    assert running.last().ending == "cut"
    assert grown < 40, f"{grown:.0f} MB"


def test_one_endless_event_is_ended_too(scripted: MakeGateway):
    flood = [send(http_head(headers=EVENT_STREAM) + chunk(ROLE) + chunk(HEL) + chunk(b"data: "))]
    flood += [send(chunk(b"x" * 65536))] * 400
    running, provider = scripted([connection(*flood)], limits={"max_reply_bytes": 64 * 2**20})
    told = ask(running, "how wide?", stream=True)
    assert b"one event is longer than" in told.body[-500:]
    assert eventually(lambda: not provider.playing, 2.0)


def test_a_provider_that_never_reads_is_given_up(scripted: MakeGateway):
    """A body larger than every buffer on the way, to a provider that takes the connection and nothing else."""
    running, _ = scripted([deaf(await_close())], provider={"total_s": 0.5})
    with Wire(running.port) as wire:
        told = wire.send(post(question("x" * 8_000_000))).read()
    assert told is not None
    assert (told.status, "timed out after 0.5 s (providers.openai.total_timeout)" in told.error["message"]) == (
        504,
        True,
    )


def test_what_one_provider_sends_unasked_reaches_nobody(scripted: MakeGateway):
    stray = http_reply(chat_json("of somebody else"))
    steps = (send(http_reply(chat_json("hello")) + stray), read_request(), send(stray))
    running, _ = scripted([connection(*steps), connection(send(WHOLE))])
    for number in range(2):
        assert ask(running, f"question {number}", stream=False).body == chat_json("hello")
