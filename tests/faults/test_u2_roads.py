"""U2: the road to the provider: nobody there, no answer, half a connection, no TLS, a kept connection that is gone.

In words and in time, and never a caller's error where another connection would have done. What the client alone makes of
it: ``tests/upstreams``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from pennyworth.testing.chaos import BlackHole, Faults, Refuse, Reset, Stall, Swallow
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import connection, deaf, http_reply, http_stream, read_request, send
from tests.door.raw import Wire, post, question
from tests.door.running import Running, plan_for
from tests.engine.conftest import ONCE
from tests.faults.conftest import MakeStage

Ask = Callable[[], str]
EVENTS = chat_events(["Hel", "lo"])
BODY = connection(send(http_reply(chat_json("hello"))))
STREAM = connection(send(http_stream(EVENTS)))
TIMES = {"connect_s": 0.3, "idle_s": 0.3, "total_s": 0.4}
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

ROADS: list[tuple[str, Faults, int, str]] = [
    # Whether the reset comes while it connects or just after is the kernel's business.
    ("reset as soon as it is accepted", (Refuse(),), 502, "gave no reply"),
    ("accepted and never answered", (BlackHole(),), 504, "timed out"),
    ("half open, the reply is lost", (Swallow(),), 504, "timed out"),
    ("half open, the request is lost", (Swallow(way="up"),), 504, "timed out"),
    ("the request stalls in the middle of its head", (Stall(at=40, way="up"),), 504, "timed out"),
    (
        "reset in the middle of the request",
        (Reset(at=40, way="up"),),
        502,
        "the connection was closed before the reply",
    ),
]


@streamed
@pytest.mark.parametrize(("faults", "status", "words"), [row[1:] for row in ROADS], ids=[row[0] for row in ROADS])
def test_a_bad_road_is_told_in_words_and_the_next_question_finds_a_good_one(
    stage: MakeStage, ask_about: Ask, faults: Faults, status: int, words: str, stream: bool
):
    here = stage(then=STREAM if stream else BODY, always=faults, provider=TIMES)
    text = ask_about()
    told = here.ask(text, stream=stream)
    assert (told.status, words in told.error["message"]) == (status, True), told
    assert here.running.last().ending == "cut"
    here.line.play()
    assert here.ask(text, stream=stream).status == 200
    assert here.running.troubles == []


@streamed
def test_where_nobody_listens_it_is_said_at_once(stage: MakeStage, ask_about: Ask, stream: bool):
    here = stage(then=STREAM if stream else BODY)
    here.line.door("refusing")
    told = here.ask(ask_about(), stream=stream)
    assert told.status == 502
    assert "Connection refused" in told.error["message"]
    here.line.door("open")
    assert here.ask(ask_about(), stream=stream).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue swallows connections on Linux only")
@streamed
def test_a_black_hole_is_given_up_after_the_connect_time(stage: MakeStage, ask_about: Ask, stream: bool):
    here = stage(provider={"connect_s": 0.3})
    here.line.door("unheard")
    before = time.monotonic()
    told = here.ask(ask_about(), stream=stream)
    assert time.monotonic() - before >= 0.27
    assert told.status == 504
    assert "connecting timed out after 0.3 s (providers.openai.connect_timeout)" in told.error["message"]


@pytest.mark.parametrize(
    ("faults", "status", "words"),
    [((), 502, "does it speak plain http?"), ((Stall(at=0),), 504, "connecting timed out"), ((Refuse(),), 502, "")],
    ids=["plain http", "a handshake that never ends", "reset in the handshake"],
)
def test_tls_that_fails_is_told(stage: MakeStage, ask_about: Ask, faults: Faults, status: int, words: str):
    here = stage(then=deaf(send(b"HTTP/1.1 400 Bad Request\r\n\r\n")), always=faults)
    secured = here.line.base_url.replace("http:", "https:")
    with (
        Running(plan_for(secured, provider={"connect_s": 0.4, "persistence": ONCE})) as running,
        Wire(running.port) as w,
    ):
        told = w.send(post(question(ask_about()))).read()
        assert told is not None
        assert (told.status, words in told.error["message"]) == (status, True), told
        assert running.troubles == []


@streamed
def test_a_kept_connection_that_is_gone_is_never_a_callers_error(stage: MakeStage, ask_about: Ask, stream: bool):
    """Broken by a reset while it lay idle; the next question must not notice."""
    reply = send(http_stream(EVENTS) if stream else http_reply(chat_json("hello")))
    here = stage(then=connection(reply, *[read_request(), reply] * 60))
    for _ in range(30):
        assert here.ask(ask_about(), stream=stream).status == 200
        assert here.ask(ask_about(), stream=stream).status == 200
        here.line.break_all()
    assert here.provider.connections >= 30, "or nothing was broken"
    assert all(receipt.ending == "complete" for receipt in here.running.receipts())
