from __future__ import annotations

import random

import msgspec
import pytest

from pennyworth.sandbox import Latency, Rule
from pennyworth.sandbox.faults import Asked, Script, asked_in_prompt


def asked(content: str = "c", model: str = "gpt-4o", stream: bool = False, body: bytes = b"{}") -> Asked:
    return Asked(model, stream, body, content)


def script(*rules: Rule, seed: int = 1) -> Script:
    return Script(rules, seed=seed, prompt_faults=True)


def kinds(script: Script, requests: list[Asked]) -> list[str]:
    return [rule.kind if (rule := script.choose(request)) else "" for request in requests]


def test_a_rule_without_conditions_befalls_every_request():
    assert kinds(script(Rule(kind="reset")), [asked()] * 3) == ["reset"] * 3


def test_every_third_is_every_third_of_those_that_match():
    requests = [asked(model="gpt-4o"), asked(model="o3")] * 6
    assert kinds(script(Rule(kind="cut", every=3, model="gpt-*")), requests) == ["", "", "", "", "cut", ""] * 2


def test_times_ends_a_rule_and_lets_the_next_one_in():
    assert kinds(script(Rule(kind="hang", times=2), Rule(kind="cut")), [asked()] * 3) == ["hang", "hang", "cut"]


def test_a_rule_may_be_for_streams_or_for_a_marker_in_the_prompt_only():
    rules = script(Rule(kind="cut", stream=True), Rule(kind="refusal", marker="bomb"))
    assert kinds(rules, [asked(), asked(stream=True), asked(body=b"a bomb")]) == ["", "cut", "refusal"]


def test_chance_follows_the_content_and_not_the_order_of_arrival():
    requests = [asked(f"c{i}") for i in range(300)]
    shuffled = requests.copy()
    random.Random(5).shuffle(shuffled)
    first, second = script(Rule(kind="reset", probability=0.3)), script(Rule(kind="reset", probability=0.3))
    struck = {r.content for r in requests if first.choose(r)}
    assert struck == {r.content for r in shuffled if second.choose(r)}
    assert 60 < len(struck) < 120


def test_another_seed_strikes_others():
    requests = [asked(f"c{i}") for i in range(100)]
    rule = Rule(kind="reset", probability=0.5)
    assert kinds(script(rule, seed=1), requests) != kinds(script(rule, seed=2), requests)


def test_a_retry_of_the_same_request_draws_again():
    assert set(kinds(script(Rule(kind="reset", probability=0.5)), [asked()] * 30)) == {"", "reset"}


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        (b"hello", None),
        (b"FAULT:nonsense", None),
        (b"FAULT:reset", Rule(kind="reset")),
        (b"FAULT:status=429", Rule(kind="status", status=429)),
        (b"FAULT:cut=7", Rule(kind="cut", after=7)),
        (b"FAULT:body_cut=7", Rule(kind="body_cut", at_byte=7)),
        (b"FAULT:huge=5000", Rule(kind="huge", size=5000)),
        (b"FAULT:drip=5", Rule(kind="drip", pause_s=0.005)),
        (b"FAULT:reset and then FAULT:hang", Rule(kind="hang")),
    ],
)
def test_a_prompt_may_ask_for_a_fault(prompt, rule):
    assert asked_in_prompt(prompt) == rule


def test_asking_by_prompt_can_be_turned_off():
    quiet = Script((), seed=1, prompt_faults=False)
    assert quiet.choose(asked(body=b"FAULT:reset")) is None


@pytest.mark.parametrize(
    "rule",
    [
        b'{"kind":"nonsense"}',
        b'{"kind":"cut","probability":2}',
        b'{"kind":"status","status":200}',
        b'{"kind":"cut","x":1}',
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(rule, type=Rule)


def test_the_default_latency_is_none_at_all():
    assert Latency().pace(10_000, "k").due_s(500) == 0.0


def test_the_time_of_a_token_is_prefill_then_a_constant_rate():
    pace = Latency(first_token_s=0.2, prefill_tokens_per_s=10_000, tokens_per_s=50).pace(1000, "k")
    assert pace.due_s(10) == pytest.approx(0.2 + 0.1 + 0.2)


def test_jitter_stays_in_its_bounds_and_is_the_same_for_the_same_request():
    latency = Latency(first_token_s=1.0, jitter=0.2)
    firsts = [latency.pace(0, f"k{i}").first_s for i in range(200)]
    assert all(0.8 <= first <= 1.2 for first in firsts)
    assert max(firsts) - min(firsts) > 0.3
    assert firsts == [latency.pace(0, f"k{i}").first_s for i in range(200)]
