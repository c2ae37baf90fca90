"""What providers say of their own replies: another model is on the receipt, other counts are told of, and it costs little."""

from __future__ import annotations

import msgspec

from pennyworth.decide import tokens
from pennyworth.decide.drift import FIT, alarms
from pennyworth.engine.counters import Counters
from pennyworth.server.admin_drift import drift
from pennyworth.testing.scripted import Reply, chat_events, chat_json, reply, stream
from tests.engine.conftest import House, MakeHouse

WORDS = "The quick brown fox jumps over the lazy dog and runs away from the old house by the river. "
TARGET = "openai/gpt-4o-mini"


def question(i: int) -> str:
    return f"Question {i}: " + WORDS * (1 + i % 7)


def counted(i: int) -> int:
    return tokens.estimate_request({"messages": [{"role": "user", "content": question(i)}]})


def honest(i: int, times: float = 1.0) -> Reply:
    said = WORDS * (2 + i % 3)
    return reply(json=chat_json(said, usage=(round(times * counted(i)), tokens.estimate_tokens(said))))


async def converse(h: House, first: int, last: int) -> None:
    for i in range(first, last):
        await h.ask(question(i))


async def test_another_model_than_was_asked_is_on_the_receipt_and_in_the_figures(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("hi", model="moonshotai/kimi-k2")), honest(1)])
    await converse(h, 0, 2)
    first, second = h.receipts()
    assert first.notes == ("drift: gpt-4o-mini was asked, moonshotai/kimi-k2 answered",)
    assert second.notes == ()
    figures = drift(h.runtime.state.counters)[TARGET]
    assert (figures["replies"], figures["other_model"], figures["last_other_model"]) == (2, 1, "moonshotai/kimi-k2")  # type: ignore[index]
    assert "1 of 2 replies were by another model" in figures["alarms"][0]  # type: ignore[index]
    assert h.runtime.state.counters.troubles == {}, "it is the provider's trouble, not ours"


async def test_a_dated_version_is_no_other_model(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("hi", model="gpt-4o-mini-2024-07-18"))])
    await h.ask()
    assert h.last().notes == ()


async def test_a_provider_that_begins_to_count_more_is_told_of_on_receipts(house: MakeHouse) -> None:
    script = [honest(i) for i in range(FIT)] + [honest(i, 1.6) for i in range(FIT, 2 * FIT)]
    h = await house(script)
    await converse(h, 0, FIT)
    tally = h.runtime.state.counters.drift[TARGET]
    assert (tally.prompt.fits, tally.answer.fits, alarms(tally)) == (FIT, FIT, ())
    await converse(h, FIT, 2 * FIT)
    assert "input tokens it used to for the same text" in h.last().notes[0]
    assert h.last().notes[0].startswith(f"drift: {TARGET}: it counts 1.6")
    assert h.receipts()[FIT - 1].notes == ()


async def test_streams_are_looked_at_as_well(house: MakeHouse) -> None:
    h = await house(then=stream(chat_events([WORDS, WORDS], usage=(counted(0), 40))))
    await h.ask(question(0), stream=True)
    tally = h.runtime.state.counters.drift[TARGET]
    assert (tally.replies, tally.prompt.fits, tally.answer.fits) == (1, 1, 1)


async def test_after_the_first_ones_one_reply_in_thirty_two_is_counted(house: MakeHouse) -> None:
    h = await house([honest(i) for i in range(200)])
    await converse(h, 0, 2 * FIT)
    tally = h.runtime.state.counters.drift[TARGET]
    before = msgspec.structs.replace(tally.prompt)
    await converse(h, 2 * FIT, 2 * FIT + 31)
    assert tally.prompt == before
    await converse(h, 2 * FIT + 31, 2 * FIT + 32)
    assert tally.prompt != before


async def test_what_we_cannot_count_is_not_held_against_anybody(house: MakeHouse) -> None:
    h = await house(then=reply(json=chat_json("hi", usage=(5000, 5))))
    await h.ask(question(1), tools=[{"type": "function", "function": {"name": "f"}}])
    await h.ask(question(1), response_format={"type": "json_object"})
    await h.ask("short")
    tally = h.runtime.state.counters.drift[TARGET]
    assert (tally.replies, tally.prompt.fits) == (3, 0)


def test_however_many_targets_there_are_few_are_remembered_and_workers_add_up() -> None:
    one, other = Counters(), Counters()
    for i in range(2000):
        one.drift_of(f"p/m{i}").answered_by("x")
    other.drift_of("p/m1").answered_by("")
    assert len(one.drift) == 501
    one.merge(other)
    assert (one.drift["p/m1"].replies, one.drift["p/m1"].wrong) == (2, 1)
    assert sum(tally.replies for tally in one.drift.values()) == 2001
    assert other.drift["p/m1"].replies == 1, "merging leaves the other as it was"


async def test_a_reply_by_another_model_is_given_but_not_kept_under_the_asked_ones_key(house: MakeHouse) -> None:
    h = await house([reply(json=chat_json("by kimi", model="moonshotai/kimi-k2")), honest(1)])
    assert (await h.ask("who?")).text == "by kimi"
    await h.ask("who?")
    assert len(h.upstream.calls) == 2
    assert h.runtime.state.counters.not_kept == {"another model answered": 1}
