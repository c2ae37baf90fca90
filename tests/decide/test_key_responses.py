"""Which fields of a response's request count: those it says back to the caller do, so that nobody reads another's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pennyworth.decide.key import LEFT_OUT, SAID_BACK, Keyring, Keys
from pennyworth.engine.questions import question_of
from pennyworth.plan import CacheSpec, Provider, Target
from pennyworth.request import Caller
from pennyworth.wire import responses

KEYRING = Keyring(b"the deployment's own secret, 32 b")
TARGET = Target(provider=Provider(name="openai", base_url="https://api.openai.com/v1"), model="gpt-5-mini")


def keys(**fields: Any) -> Keys | None:
    body = json.dumps({"model": "gpt-5-mini", "input": "hello", **fields}).encode()
    request = responses.read_request(body, {}, Caller("a"))
    return KEYRING.keys(request, question_of(request, CacheSpec()), TARGET, "", 0)


@pytest.mark.parametrize("name", sorted(SAID_BACK))
def test_what_a_response_says_back_counts(name: str) -> None:
    assert len({keys(), keys(**{name: "ann"}), keys(**{name: "bob"})}) == 3


@pytest.mark.parametrize("name", sorted(LEFT_OUT.keys() - SAID_BACK - {"stream"}))
def test_what_says_how_it_is_handled_does_not(name: str) -> None:
    assert keys() == keys(**{name: "a"}) == keys(**{name: "b"})


def test_one_answer_serves_both_ways_of_travelling() -> None:
    assert keys() == keys(stream=True) == keys(stream=False)


def test_what_was_said_before_and_by_whom_counts() -> None:
    said = {"role": "user", "content": "hello"}
    assert len({keys(), keys(instructions="x"), keys(input=[said]), keys(input=[said, said]), keys(store=False)}) == 5


@pytest.mark.parametrize("name", sorted(SAID_BACK))
def test_it_counts_where_every_dialect_could_ask_the_same(name: str) -> None:
    said = {"store": False, "input": [{"role": "user", "content": "hello"}]}
    assert len({keys(**said), keys(**said, **{name: "ann"}), keys(**said, **{name: "bob"})}) == 3
