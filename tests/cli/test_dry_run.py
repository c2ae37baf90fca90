"""``replay --dry-run`` counts what a gateway could save on a file, by the gateway's own decisions."""

import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.cli.forecast import Forecaster, of_receipts
from pennyworth.config import interpret, with_sandbox
from pennyworth.decide.key import Keyring
from pennyworth.decide.lifetime import compile_rules
from pennyworth.money import Money
from pennyworth.request import Caller
from pennyworth.wire.chat.request import read_request

from .conftest import hit, receipt

PLAN = with_sandbox(interpret({}, {}), "http://sandbox.invalid/v1")
RULES = compile_rules(PLAN.lifetimes, PLAN.default_lifetime)
KEYRING = Keyring(secrets.token_bytes(32))


def forecast(*bodies):
    forecaster = Forecaster(PLAN, KEYRING, RULES, lambda _: None, 300)
    for body in bodies:
        forecaster.take(read_request(json.dumps(body).encode(), {}, Caller("test")))
    return forecaster.result


def question(text, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize(
    ("bodies", "exact", "near", "unique"),
    [
        ([question("What is love?")] * 3, 2, 0, 1),
        ([question("What is love?"), question("What  is love?")], 0, 1, 1),
        ([question("What  is love?"), question("What is love?")], 0, 1, 1),
        ([question("What  is love?"), question("What  is love?")], 1, 0, 1),
        ([question("What is love?"), question("What is life?")], 0, 0, 2),
        ([question("What is love?"), question("What is love?", seed=7)], 0, 0, 2),
        ([question("What is love?", stream=True), question("What is love?")], 1, 0, 1),
        ([question("What is love?", user="a"), question("What is love?", user="b")], 1, 0, 1),
    ],
)
def test_repeats_are_told_from_new_questions(bodies, exact, near, unique):
    result = forecast(*bodies)
    assert (result.requests, result.exact, result.near, result.unique) == (len(bodies), exact, near, unique)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (question("What is the weather in Paris right now?"), "realtime"),
        (question("Write a poem", temperature=1), "temperature"),
        (question("Search", web_search_options={}), "search"),
    ],
)
def test_what_is_asked_each_time_is_counted_with_its_reason(body, reason):
    result = forecast(body, body)
    assert (result.exact, result.near) == (0, 0)
    assert [number for why, number in result.never.items() if reason in why] == [2]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_with_every_answer_kept_each_request_is_either_new_or_a_repeat(stream):
    result = forecast(*(question(f"What{'  ' if odd else ' '}is {letter}?") for letter, odd in stream))
    assert result.exact + result.near + result.unique == result.requests == len(stream)
    assert result.unique == len({letter for letter, _ in stream})


def test_receipts_count_by_their_keys_and_cost_what_they_say():
    result = of_receipts([receipt(1), hit(2), receipt(3, key="0" * 15 + "1"), receipt(4, key="")])
    assert (result.requests, result.unique, result.exact) == (4, 2, 1)
    assert result.direct == Money(4 * 10**12)
    assert result.through == Money(3 * 10**12)
    assert result.never == {"no kept answer": 1}


def as_lines(*values):
    return "\n".join(json.dumps(value) for value in values)


@pytest.mark.parametrize(
    "text",
    [
        "What is love?\nWhat is love?\n",
        '"What is love?"\n\n"What is love?"',
        as_lines({"question": "What is love?"}, {"question": "What is love?"}),
        as_lines(question("What is love?"), question("What is love?")),
        as_lines(
            {"custom_id": "1", "body": question("What is love?")}, {"custom_id": "2", "body": question("What is love?")}
        ),
        json.dumps([question("What is love?"), question("What is love?")]),
        as_lines(question("\u2028"), question("\u2028")),
    ],
)
def test_every_shape_of_file_is_read(command, tmp_path, text):
    (tmp_path / "file").write_text(text, encoding="utf-8")
    result = command("replay", "file", "--dry-run", "--json").json
    assert (result["requests"], result["unique"], result["exact"]) == (2, 1, 1)


def test_the_expected_cost_is_given_with_a_model(command, tmp_path):
    (tmp_path / "q.txt").write_text("What is love?\nWhat is love?\n")
    ended = command("replay", "q.txt", "--dry-run", "--model", "gpt-4o-mini", "--json")
    assert ended.code == 0
    assert ended.json["highest_hit_rate"] == 0.5
    assert ended.json["direct"]["pico"] == 2 * ended.json["through"]["pico"] > 0


def test_receipts_of_the_receipts_command_can_be_counted_and_not_sent(command, books, tmp_path):
    listed = command("receipts", "--state-dir", books, "--json")
    (tmp_path / "r.json").write_text(listed.out)
    assert command("replay", "r.json", "--dry-run", "--json").json["requests"] == 3
    ended = command("replay", "r.json")
    assert ended.code == 2
    assert "--dry-run" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ('{"messages": [}', "line 1"),
        ('What?\n{"answer": 42}', "line 2"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_with_the_line(command, tmp_path, text, said):
    (tmp_path / "file").write_text(text)
    ended = command("replay", "file", "--dry-run")
    assert ended.code == 2
    assert said in ended.err
    assert "A line may be" in ended.err


def test_questions_that_name_no_model_are_not_sent_anywhere(command, tmp_path):
    (tmp_path / "q.txt").write_text("What is love?\n")
    ended = command("replay", "q.txt")
    assert ended.code == 2
    assert "--model" in ended.err


def test_a_file_that_is_not_there_ends_with_2(command):
    assert command("replay", "nowhere.jsonl", "--dry-run").code == 2
