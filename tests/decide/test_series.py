"""The keys of the items of one request: each of its own, the same wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.key import LEFT_OUT, Keyring, Series
from pennyworth.plan import Provider, Target
from pennyworth.request import Caller, Key
from pennyworth.wire import embeddings

KEYRING = Keyring(b"the deployment's own secret, 32 b")
OPENAI = Provider(name="openai", base_url="https://api.openai.com/v1")
TARGET = Target(provider=OPENAI, model="m")


def series(scope: str = "s", headers: dict[str, str] | None = None, epoch: int = 0, **fields: Any) -> Series:
    body = json.dumps({"model": "m", "input": ["whatever"], **fields}).encode()
    request = embeddings.read_request(body, headers or {}, Caller(scope), vary=("openai-beta",))
    found = KEYRING.series(request, "input", TARGET, "default", epoch)
    assert found is not None
    return found


BASE = series().of("text")


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_fields_that_change_no_answer_change_no_key(name: str) -> None:
    assert series(**{name: "x"}).of("text") == BASE


def test_what_else_stands_in_the_input_changes_no_key() -> None:
    assert series(input="text").of("text") == series(input=["a", "b"]).of("text") == BASE


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "t"},
        {"headers": {"openai-beta": "x"}},
        {"epoch": 1},
        {"model": "n"},
        {"dimensions": 3},
        {"encoding_format": "base64"},
        {"unheard_of": None},
    ],
)
def test_whatever_else_differs_has_another_key(other: dict[str, Any]) -> None:
    assert series(**other).of("text") != BASE


ITEM = st.text(max_size=4) | st.lists(st.integers(0, 99), min_size=1, max_size=3)


@given(ITEM, ITEM)
def test_two_items_have_one_key_only_if_they_are_the_same(one: Any, other: Any) -> None:
    assert (series().of(one) == series().of(other)) == (one == other)


def test_no_wording_is_folded() -> None:
    """Two wordings have two vectors."""
    assert len({series().of(text) for text in ("a b", "a  b", "A b", "a b ", "ａ b", "a b.", "e\u0301", "\u00e9")}) == 8


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.data())
def test_a_batch_is_another_one_where_other_items_are_missing(items: list[int], data: st.DataObject) -> None:
    keys = [series().of(str(item)) for item in items]
    places = st.sets(st.sampled_from(range(len(items)))).map(sorted)
    one, other = data.draw(places), data.draw(places)
    together = series().together
    assert (together(keys, one) == together(keys, other)) == (one == other)
    assert together(keys, one) not in keys
    assert (together(keys, one) == together(list(reversed(keys)), one)) == (keys == keys[::-1])


def test_a_body_without_a_key_has_no_series() -> None:
    body = b'{"model":"m","input":["a"],"x":{"y":1,"y":2}}'
    request = embeddings.read_request(body, {}, Caller("s"))
    assert KEYRING.series(request, "input", TARGET, "default", 0) is None


def test_the_key_of_an_item_is_none_of_a_question() -> None:
    assert isinstance(BASE, bytes)
    assert len(BASE) == 32
    assert Key(BASE) != series().together([BASE], [0])
