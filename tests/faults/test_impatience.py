"""A caller who waits too little finds out nothing about a provider; a call for which no time is left is not made at all."""

from __future__ import annotations

from collections.abc import Callable

from pennyworth.plan import Persistence, Route
from pennyworth.testing.chaos import BlackHole, Delay
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, plan_for, provider_at
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.faults.conftest import MakeStage
from tests.faults.line import BadLine

Ask = Callable[[], str]
WELL = connection(send(last_reply(chat_json("hello"))))


def ask(running: Running, text: str, *headers: str) -> RawReply:
    with Wire(running.port) as wire:
        reply = wire.send(post(question(text), *headers)).read()
    assert reply is not None
    return reply


def test_callers_in_a_hurry_do_not_talk_a_provider_out_of_use_for_the_others(stage: MakeStage, ask_about: Ask):
    """Else anybody could, by asking a few times for a reply within a hundredth of a second."""
    here = stage(then=WELL, always=(Delay(s=0.3),), provider={"persistence": Persistence(trip_after=4)})
    for _ in range(8):
        assert ask(here.running, ask_about(), "x-pennyworth-timeout: 0.01").status == 504
    assert ask(here.running, ask_about()).status == 200
    assert here.running.troubles == []


def test_a_provider_that_gets_ever_slower_is_found_out_though_nobody_waits_to_the_end(stage: MakeStage, ask_about: Ask):
    """Its replies took a moment so far: a caller who waited several times as long has found something out."""
    here = stage(then=WELL, provider={"persistence": Persistence(trip_after=2)})
    for _ in range(40):
        assert ask(here.running, ask_about()).status == 200
    here.line.play(then=(BlackHole(),))
    here.line.break_all()
    for _ in range(2):
        assert ask(here.running, ask_about(), "x-pennyworth-timeout: 2").status == 504
    assert ask(here.running, ask_about()).status == 503


def test_a_silent_provider_leaves_time_for_its_fallback_and_is_left_alone_in_the_end(ask_about: Ask):
    """Each has its share of the time there is. Once the first is left alone, the other is there at once."""
    few = Persistence(trip_after=4)
    with ScriptedProvider(then=WELL) as well, BadLine(well.base_url, then=(BlackHole(),)) as dead:
        first = provider_at(dead.base_url, total_s=0.3, persistence=few)
        other = provider_at(well.base_url, name="other", models=("other-*",), persistence=few)
        chain = (Route(fallbacks=("other/gpt-4o-mini",)),)
        with Running(plan_for("http://127.0.0.1:1", providers=(first, other), routes=chain)) as running:
            told = [ask(running, ask_about()).status for _ in range(4)]
            assert told == [200] * 4
            assert {note.why for note in running.last().attempts} == {"", "fallback: openai/gpt-4o-mini failed"}
            assert [ask(running, ask_about()).status for _ in range(4)] == [200] * 4
            assert [note.why for note in running.last().attempts] == [
                "fallback: openai/gpt-4o-mini is left alone for now or has no room"
            ]
