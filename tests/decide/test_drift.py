"""Counts held against each other: what is told, and above all what is not. Laws first, then the recorded traffic."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.recorded import record_row, rows

from pennyworth.decide import tokens
from pennyworth.decide.drift import FIT, Line, Tally, alarms, countable, output_shown
from pennyworth.money import Usage

SIZES = st.lists(st.integers(20, 3000), min_size=FIT, max_size=200)


def tally(pairs: list[tuple[float, float]]) -> Tally:
    made = Tally()
    for ours, theirs in pairs:
        made.prompt.add(round(ours), round(theirs))
    return made


def noisy(n: int, seed: int, times: float = 1.0, base: float = 0.0, spread: float = 0.3) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    sizes = [chance.uniform(30, 2000) for _ in range(n)]
    return [(size, size * times * chance.uniform(1 - spread, 1 + spread) + base) for size in sizes]


@given(SIZES, st.floats(0.7, 1.4), st.integers(0, 300))
def test_one_who_counts_as_ever_is_never_told_of_whatever_the_vocabulary_and_preamble(
    sizes: list[int], times: float, base: int
) -> None:
    made = tally([(size, size * times + base) for size in sizes])
    assert not [alarm for alarm in alarms(made) if "used to" in alarm]
    assert made.prompt.ratio == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("seed", range(40))
def test_an_honest_count_with_the_error_of_our_estimates_gives_no_alarm(seed: int) -> None:
    assert alarms(tally(noisy(500, seed, times=0.95))) == ()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("times", [1.5, 2.0, 4.0])
def test_one_who_begins_to_count_more_is_told_of_within_sixty_replies(seed: int, times: float) -> None:
    (alarm,) = alarms(tally(noisy(FIT, seed) + noisy(60, seed + 1, times=times)))
    assert "input tokens it used to for the same text" in alarm


def test_the_alarm_ends_when_the_counts_are_as_they_were() -> None:
    made = tally(noisy(FIT, 1) + noisy(60, 2, times=2.0))
    assert alarms(made)
    for ours, theirs in noisy(100, 3):
        made.prompt.add(round(ours), round(theirs))
    assert alarms(made) == ()


def test_one_who_counted_twice_from_the_first_reply_on_is_told_of_by_the_line_itself() -> None:
    (alarm,) = alarms(tally(noisy(FIT, 1, times=2.0)))
    assert "input tokens where we count one" in alarm


def test_nothing_is_said_of_few_replies() -> None:
    assert alarms(tally(noisy(FIT - 1, 1, times=5.0))) == ()
    assert alarms(tally(noisy(FIT, 1) + noisy(5, 2, times=5.0))) == ()


def test_a_preamble_of_the_providers_is_no_drift_when_prompts_become_short() -> None:
    long = [(size, size + 150) for size in range(500, 500 + 60 * FIT, 60)]
    short = [(40.0, 190.0)] * 60
    assert alarms(tally(long + short)) == ()


def test_answers_of_a_model_that_thinks_without_saying_so_are_not_held_against_it() -> None:
    chance, made = random.Random(1), Tally()
    for i in range(200):
        made.answer.add(chance.randint(30, 60), chance.randint(50, 5000) * (3 if i > FIT else 1))
    assert alarms(made) == ()


@given(SIZES, st.integers(0, 200))
def test_sums_of_workers_are_the_sum_of_their_replies(sizes: list[int], cut: int) -> None:
    one, other, both = Line(), Line(), Line()
    for size in sizes[:FIT]:
        both.add(size, 2 * size)
        (one if size <= cut * 10 else other).add(size, 2 * size)
    one.merge(other)
    assert (one.fits, one.fit_ours, one.fit_both) == (both.fits, both.fit_ours, both.fit_both)
    assert one.a_token == pytest.approx(2.0)


def test_another_model_is_told_of_as_long_as_it_answers() -> None:
    made = Tally()
    for said in ["", "", "kimi-k2"] + [""] * 15:
        made.answered_by(said)
    assert alarms(made) == ("1 of 18 replies were by another model, last kimi-k2",)
    for _ in range(10):
        made.answered_by("")
    assert alarms(made) == ()
    assert made.wrong == 1


TEXT = {"role": "user", "content": "hello"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
COUNTABLE = [
    ({"messages": [TEXT, PARTS]}, 100, True),
    ({"messages": [TEXT]}, 20_000, False),
    ({"messages": [TEXT], "tools": []}, 100, False),
    ({"messages": [TEXT], "response_format": {"type": "text"}}, 100, False),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, 100, False),
    ({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}, 100, False),
    ({"messages": [{"role": "assistant", "content": None}]}, 100, False),
    ({"messages": ["odd"]}, 100, False),
    ({}, 100, False),
]


@pytest.mark.parametrize(("fields", "size", "expected"), COUNTABLE)
def test_only_text_is_counted_against_a_provider(fields: dict[str, object], size: int, expected: bool) -> None:
    assert countable(fields, size) is expected


def test_hidden_tokens_are_not_counted_against_an_answer() -> None:
    assert output_shown(Usage(output=100)) == 100
    assert output_shown(Usage(output=100, reasoning=60)) == 0


def test_no_provider_of_the_recorded_traffic_counts_oddly() -> None:
    lines: dict[str, Line] = {}
    for row in rows("whole"):
        if row.status == 200 and row.request and countable(row.request, len(str(row.request))):
            usage, ours = record_row(row).usage, tokens.estimate_request(row.request)
            if usage is not None and ours >= 20:
                lines.setdefault(row.provider, Line()).add(ours, usage.input)
    odd = {name: line.a_token for name, line in lines.items() if line.fits > 2 and not 0.7 < line.a_token < 1.3}
    assert odd == {}
