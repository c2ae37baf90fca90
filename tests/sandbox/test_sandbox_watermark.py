from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.sandbox import Settings, check_answer, expected_watermark
from pennyworth.sandbox.answer import compose
from pennyworth.sandbox.ask import read_ask
from pennyworth.sandbox.faults import Rule

BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is money?"}], "n": 2}
KEY = "Bearer sk-one"


def answer(body: dict, credential: str = KEY, choice: int = 0, rule: Rule | None = None) -> str:
    watermark = expected_watermark(body, credential)
    return compose(read_ask(json.dumps(body).encode()), watermark, rule, Settings()).choices[choice].text


def test_a_right_answer_is_right_for_each_choice():
    assert check_answer(answer(BODY), BODY, KEY) is None
    assert check_answer(answer(BODY, choice=1), BODY, KEY, choice=1) is None


def test_the_credential_counts_with_or_without_bearer():
    assert expected_watermark(BODY, "sk-one") == expected_watermark(BODY, KEY)


def test_json_bytes_and_fields_have_the_same_mark_whatever_the_order_and_spacing():
    shuffled = json.dumps(dict(reversed(BODY.items())), indent=3).encode()
    assert expected_watermark(shuffled, KEY) == expected_watermark(BODY, KEY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream", True),
        ("stream_options", {"include_usage": True}),
        ("user", "u1"),
        ("metadata", {"a": "b"}),
        ("service_tier", "flex"),
        ("prompt_cache_key", "k"),
        ("safety_identifier", "s"),
        ("store", True),
    ],
)
def test_a_field_that_changes_no_answer_does_not_change_the_mark(field, value):
    assert expected_watermark({**BODY, field: value}, KEY) == expected_watermark(BODY, KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-4o"},
        {"temperature": 0},
        {"seed": 2**64 + 1},
        {"seed": 2**64 + 2},
        {"top_k": 1},
        {"n": 3},
        {"messages": [{"role": "user", "content": "What is money ?"}]},
        {"messages": [{"role": "system", "content": "What is money?"}]},
    ],
)
def test_any_other_difference_changes_the_mark(change):
    marks = {expected_watermark({**BODY, **other}, KEY) for other in ({}, {"seed": 2**64}, change)}
    assert len(marks) == 3


def test_an_answer_of_another_tenant_is_found():
    assert "another request" in check_answer(answer(BODY, "sk-two"), BODY, KEY)


def test_an_answer_to_another_question_is_found():
    assert "another request" in check_answer(answer({**BODY, "temperature": 0.5}), BODY, KEY)


def test_swapped_choices_are_found():
    assert check_answer(answer(BODY, choice=1), BODY, KEY, choice=0) is not None


def test_two_answers_run_together_are_found():
    assert check_answer(answer(BODY) + answer(BODY), BODY, KEY) is not None
    assert check_answer(answer(BODY)[:60] + answer({**BODY, "n": 3}), BODY, KEY) is not None


def test_something_before_the_mark_is_found():
    assert "before" in check_answer("Sure! " + answer(BODY), BODY, KEY)


def test_an_answer_without_a_mark_is_found():
    assert "no watermark" in check_answer("Money is a store of value.", BODY, KEY)


@given(st.data())
def test_one_changed_byte_is_found(data):
    text = answer(BODY)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[place]))
    assert check_answer(text[:place] + other + text[place + 1 :], BODY, KEY) is not None


@given(st.data())
def test_an_answer_cut_anywhere_is_found(data):
    text = answer(BODY)
    assert check_answer(text[: data.draw(st.integers(0, len(text) - 1))], BODY, KEY) is not None


@given(st.data())
def test_an_answer_ended_by_its_length_is_right_as_far_as_it_goes_and_no_other(data):
    body = {**BODY, "max_tokens": 12}
    text = answer(body)
    place = data.draw(st.integers(0, len(text) - 1))
    assert check_answer(text, body, KEY, finish="length") is None
    assert check_answer(text[:place] + "?" + text[place + 1 :], body, KEY, finish="length") is not None


@pytest.mark.parametrize("rule", [None, Rule(kind="refusal")])
def test_whatever_was_said_is_right_as_far_as_it_goes_wherever_it_is_cut(rule):
    text = answer(BODY, rule=rule)
    said = text.rpartition(" [end:")[0]
    for place in range(len(f"[wm:{expected_watermark(BODY, KEY)}]"), len(said) + 1):
        assert check_answer(said[:place], BODY, KEY, finish="length") is None


@pytest.mark.parametrize("noun", ["ref", "refused:", "answer refusal:", "refusal", "refusal answer"])
def test_another_opening_than_that_of_an_answer_or_a_refusal_is_none(noun):
    words = answer(BODY).partition(" answer:")[2]
    text = f"[wm:{expected_watermark(BODY, KEY)}] Simulated {noun}{words}"
    assert check_answer(text, BODY, KEY, finish="length") is not None


def test_refusals_and_tool_calls_can_be_checked_too():
    assert check_answer(answer(BODY, rule=Rule(kind="refusal")), BODY, KEY) is None
    arguments = json.loads(answer(BODY, rule=Rule(kind="tool_calls")))
    assert check_answer(arguments["sandbox"], BODY, KEY) is None
