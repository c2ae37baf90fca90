"""U3: a provider that drips or falls silent: the call ends at its time, and the caller is told in his dialect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from pennyworth.testing.chaos import Rate, Stall
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import eventually
from tests.door.scripted_provider import last_reply, last_stream
from tests.faults.conftest import MakeStage

Ask = Callable[[], str]
EVENTS = chat_events(["Hel", "lo", " you"], usage=(9, 3))
STREAM, BODY = last_stream(EVENTS), last_reply(chat_json("hello"))
IDLE_S, TOTAL_S = 0.4, 0.6


def after(event: bytes) -> int:
    """The byte of the connection after which this event is whole."""
    return STREAM.index(event) + len(event) + 2


def test_a_stream_that_falls_silent_ends_in_an_error_event_when_its_idle_time_is_over(stage: MakeStage, ask_about: Ask):
    for event in EVENTS[1:4]:
        here = stage(then=connection(send(STREAM)), always=(Stall(at=after(event)),), provider={"idle_s": IDLE_S})
        with Wire(here.running.port) as wire:
            wire.send(post(question(ask_about(), stream=True)))
            got = b""
            while b"data: " not in got:
                got += wire.socket.recv(65536)
            before = time.monotonic()
            while not got.endswith(b"0\r\n\r\n"):
                got += wire.socket.recv(65536)
            took = time.monotonic() - before
        assert took >= 0.9 * IDLE_S
        error = json.loads(got.rpartition(b"data: ")[2].partition(b"\n")[0])["error"]
        assert "nothing came for 0.4 s (providers.openai.idle_timeout)" in error["message"]
        assert b"[DONE]" not in got
        assert here.running.last().ending == "cut"
        assert eventually(lambda here=here: here.provider.playing == 0), "the provider's connection is closed"


def test_a_stream_that_never_begins_is_an_error_with_a_status(stage: MakeStage, ask_about: Ask):
    here = stage(then=connection(send(STREAM)), always=(Stall(at=30),), provider={"idle_s": IDLE_S})
    told = here.ask(ask_about(), stream=True)
    assert (told.status, "idle_timeout" in told.error["message"]) == (504, True)


@pytest.mark.parametrize("rate", [5.0, 100.0])
def test_a_body_that_drips_is_given_up_when_its_whole_time_is_over(stage: MakeStage, ask_about: Ask, rate: float):
    """However it drips: no silence is too long, the whole is."""
    here = stage(then=connection(send(BODY)), always=(Rate(bytes_per_s=rate),), provider={"total_s": TOTAL_S})
    before = time.monotonic()
    told = here.ask(ask_about())
    assert time.monotonic() - before >= 0.9 * TOTAL_S
    assert (told.status, "timed out after 0.6 s (providers.openai.total_timeout)" in told.error["message"]) == (
        504,
        True,
    )


def test_a_stream_of_a_byte_at_a_time_is_slower_than_its_idle_time_or_it_is_not(stage: MakeStage, ask_about: Ask):
    slow = stage(then=connection(send(STREAM)), always=(Rate(bytes_per_s=1.0),), provider={"idle_s": IDLE_S})
    assert slow.ask(ask_about(), stream=True).status == 504
    steady = stage(then=connection(send(STREAM)), always=(Rate(bytes_per_s=2_000.0),), provider={"idle_s": IDLE_S})
    before = time.monotonic()
    assert steady.ask(ask_about(), stream=True).body.endswith(b"data: [DONE]\n\n")
    assert time.monotonic() - before > IDLE_S, "it may last longer than it may be silent"
