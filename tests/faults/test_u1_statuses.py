"""U1: a provider that says it is full, broken or overloaded: asked again as often as it may be, for as long as the caller
waits, at the pace it asks for; and no storm in an outage. Over real sockets; the rules in detail: ``tests/engine/test_persistence.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from pennyworth.plan import Persistence
from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json
from pennyworth.testing.scripted_server import Connection, connection, send
from tests.door.raw import RawReply, Wire, post, question
from tests.door.scripted_provider import last_reply, last_stream
from tests.faults.conftest import MakeStage, Stage

Ask = Callable[[], str]
TRIES = Persistence(pause_s=0.01)
PATIENT = Persistence(pause_s=0.01, trip_after=10**9)
WELL = connection(send(last_reply(chat_json("hello"))))
WELL_STREAM = connection(send(last_stream(chat_events(["hello"]))))
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def refusal(status: int, retry_after: str = "") -> Connection:
    headers = {"retry-after": retry_after} if retry_after else {}
    return connection(send(last_reply(error_json("not now"), status=f"{status} No", headers=headers)))


def ask(here: Stage, text: str, *headers: str, stream: bool = False) -> RawReply:
    with Wire(here.running.port) as wire:
        reply = wire.send(post(question(text, stream=stream), *headers)).read()
    assert reply is not None
    return reply


@streamed
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_asked_again_and_its_caller_is_none_the_wiser(
    stage: MakeStage, ask_about: Ask, status: int, stream: bool
):
    here = stage([refusal(status)] * 2, then=WELL_STREAM if stream else WELL, provider={"persistence": TRIES})
    told = ask(here, ask_about(), stream=stream)
    assert (told.status, b"hello" in told.body) == (200, True)
    receipt = here.running.last()
    assert [note.status for note in receipt.attempts] == [status, status, 200]
    assert [note.why for note in receipt.attempts] == ["", "retry 1", "retry 2"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_what_does_not_pass_is_asked_three_times_and_then_told(stage: MakeStage, ask_about: Ask, status: int):
    here = stage(then=refusal(status), provider={"persistence": TRIES})
    told = ask(here, ask_about())
    assert (told.status, "not now") == (status, told.error["message"])
    assert len(here.provider.requests) == 3


@pytest.mark.parametrize("said", ["0", "0.1", "past"])
def test_a_pause_that_is_asked_for_is_kept(stage: MakeStage, ask_about: Ask, said: str):
    value = formatdate(time.time() - 60, usegmt=True) if said == "past" else said
    here = stage([refusal(429, value)], then=WELL, provider={"persistence": PATIENT})
    before = time.monotonic()
    assert ask(here, ask_about()).status == 200
    assert time.monotonic() - before >= (0.1 if said == "0.1" else 0.0)


def test_a_pause_until_a_date_is_kept(stage: MakeStage, ask_about: Ask):
    here = stage([refusal(503, formatdate(time.time() + 2, usegmt=True))], then=WELL, provider={"persistence": PATIENT})
    before = time.monotonic()
    assert ask(here, ask_about()).status == 200
    assert time.monotonic() - before >= 0.9, "a date has whole seconds"


@pytest.mark.parametrize("said", ["86400", "9e99", "1e400", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_a_pause_beyond_all_reason_is_not_begun(stage: MakeStage, ask_about: Ask, said: str):
    """Or is taken for nonsense, and the usual pauses hold; in neither case does the caller wait."""
    here = stage([refusal(503, said)], then=WELL, provider={"persistence": PATIENT})
    before = time.monotonic()
    told = ask(here, ask_about())
    assert time.monotonic() - before < 8
    assert (told.status, len(here.provider.requests)) in ((503, 1), (200, 2))


@pytest.mark.parametrize("said", ["-5", "soon", "", ";", "nan", "\xff" * 40, "Fri, 99 Foo 2026", "1, 2", "9" * 400])
def test_a_pause_that_is_nonsense_is_passed_over(stage: MakeStage, ask_about: Ask, said: str):
    here = stage([refusal(503, said.encode("latin-1").decode("latin-1"))], then=WELL, provider={"persistence": PATIENT})
    assert ask(here, ask_about()).status == 200
    assert len(here.provider.requests) == 2


@streamed
def test_nobody_waits_longer_than_he_said(stage: MakeStage, ask_about: Ask, stream: bool):
    """Tries and pauses would take 6 s; the caller waits for one."""
    here = stage(then=refusal(503, "2"), provider={"persistence": PATIENT})
    told = ask(here, ask_about(), "x-pennyworth-timeout: 1", stream=stream)
    assert told.status == 503
    assert len(here.provider.requests) == 1, "a pause that ends after the deadline is not begun"
    assert here.running.last().latency.total_ms < 2_000


def test_in_an_outage_the_provider_is_asked_a_tenth_more_than_there_are_requests_at_most(
    stage: MakeStage, ask_about: Ask
):
    """Ten retries are saved up at first; after those it is one for every ten requests."""
    here = stage(then=refusal(503), provider={"persistence": PATIENT})
    offered = 300
    for _ in range(offered):
        assert ask(here, ask_about()).status == 503
    assert len(here.provider.requests) <= 1.1 * offered + 10


def test_with_its_breaker_an_outage_costs_a_handful_of_calls(stage: MakeStage, ask_about: Ask):
    here = stage(then=refusal(503), provider={"persistence": TRIES})
    told = [ask(here, ask_about()) for _ in range(100)]
    assert {one.status for one in told} == {503}
    assert len(here.provider.requests) <= 10
    assert int(told[-1].headers["retry-after"]) >= 1, "when to come back"
