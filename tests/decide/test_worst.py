"""The most a call can cost: laws over texts, usages and prices."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide import worst
from pennyworth.decide.tariff import tariff
from pennyworth.money import Price, Rate, Tier, Usage
from pennyworth.request import Caller
from pennyworth.wire import embeddings, responses
from pennyworth.wire.chat.request import read_request

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
RATES = st.builds(
    Rate,
    st.decimals(0, 100, places=3),
    st.lists(
        st.builds(Tier, st.integers(1, 3000), st.decimals(0, 100, places=3)), max_size=2, unique_by=lambda t: t.above
    ).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above))),
)
PRICES = st.builds(
    Price,
    input=RATES,
    output=RATES,
    cached=st.none() | RATES,
    cache_write=st.none() | RATES,
    reasoning=st.none() | RATES,
    cache_write_1h=st.none() | RATES,
    per_request=st.decimals(0, 1, places=3),
    multiplier=st.decimals(Decimal("0.1"), 3, places=2),
)


def request(**fields):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return read_request(json.dumps(body, ensure_ascii=False).encode(), {}, Caller("s"))


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.booleans())
def test_the_bound_is_no_less_than_the_bytes_of_all_texts_however_json_writes_them(texts, tool, escaped):
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts],
        "tools": [{"type": "function", "function": {"name": "f", "description": tool}}],
    }
    asked = read_request(json.dumps(body, ensure_ascii=escaped).encode(), {}, Caller("s"))
    assert worst.bound(asked).into >= sum(len(text.encode()) for text in [*texts, tool]) + 4 * len(texts)


@given(PRICES, st.integers(0, 4000), st.integers(0, 4000), st.booleans(), st.data())
def test_no_usage_within_the_bound_costs_more(price, into, out, for_an_hour, data):
    most = worst.price(worst.Need(into, out, for_an_hour), tariff(price))
    asked, made = data.draw(st.integers(0, into)), data.draw(st.integers(0, out))
    written = data.draw(st.integers(0, asked))
    usage = Usage(
        input=asked,
        output=made,
        cache_write=written,
        cached=data.draw(st.integers(0, asked - written)),
        reasoning=data.draw(st.integers(0, made)),
        cache_write_1h=data.draw(st.integers(0, written)) if for_an_hour else 0,
    )
    assert tariff(price).cost(usage).pico <= most


@pytest.mark.parametrize(
    ("fields", "out"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 7, "max_tokens": 9}, 9),
        ({"max_completion_tokens": 7, "n": 3}, 21),
        ({"max_tokens": 7.5}, 8),
        ({"max_tokens": 0}, worst.ASSUMED_OUTPUT),
        ({"max_tokens": False}, worst.ASSUMED_OUTPUT),
        ({}, worst.ASSUMED_OUTPUT),
        ({"max_tokens": None}, worst.ASSUMED_OUTPUT),
        ({"max_tokens": -3, "n": 2}, 2 * worst.ASSUMED_OUTPUT),
        ({"max_tokens": "7"}, worst.ASSUMED_OUTPUT),
        ({"max_tokens": True}, worst.ASSUMED_OUTPUT),
    ],
)
def test_output_is_bounded_by_the_callers_cap_for_each_choice_or_assumed(fields, out):
    assert worst.bound(request(**fields)).out == out


def response(**fields):
    body = {"model": "m", "input": "hi", **fields}
    return responses.read_request(json.dumps(body, ensure_ascii=False).encode(), {}, Caller("s"))


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.booleans())
def test_the_bound_on_a_response_is_no_less_than_the_bytes_of_all_its_texts(texts, tool, escaped):
    body = {
        "model": "m",
        "instructions": texts[0],
        "input": [{"role": "user", "content": [{"type": "input_text", "text": text}]} for text in texts],
        "tools": [{"type": "function", "name": "f", "description": tool}],
    }
    asked = responses.read_request(json.dumps(body, ensure_ascii=escaped).encode(), {}, Caller("s"))
    assert worst.bound(asked).into >= sum(len(text.encode()) for text in [*texts, texts[0], tool]) + 16 * len(texts)


def test_every_item_is_framed_on_top_of_its_bytes():
    framed = [
        worst.bound(asked).into - len(asked.body)
        for asked in (response(), *(response(input=[{"role": "user", "content": "hi"}] * n) for n in (1, 2, 9)))
    ]
    assert framed == [framed[0], framed[0], framed[0] + 16, framed[0] + 8 * 16]


def test_each_dialect_has_a_cap_of_its_own_and_heeds_no_other():
    assert worst.bound(response(max_output_tokens=100)).out == 100
    assert worst.bound(response(max_tokens=1, max_completion_tokens=1)).out == worst.ASSUMED_OUTPUT
    assert worst.bound(request(max_output_tokens=1)).out == worst.ASSUMED_OUTPUT
    assert worst.about(response(max_output_tokens=100)) == len(response(max_output_tokens=100).body) // 4 + 100


@given(st.lists(TEXTS.filter(bool) | st.lists(st.integers(0, 10**6), min_size=1), min_size=1, max_size=5))
def test_vectors_have_no_output_and_no_more_tokens_than_their_texts_have_bytes(items):
    body = json.dumps({"model": "m", "input": items}, ensure_ascii=False).encode()
    asked = embeddings.read_request(body, {}, Caller("s"))
    need = worst.bound(asked)
    assert need.out == 0
    assert need.into <= len(body) + 32  # nothing frames an item
    assert need.into >= sum(len(item.encode()) if isinstance(item, str) else len(item) for item in items)
    assert worst.about(asked) <= need.into
