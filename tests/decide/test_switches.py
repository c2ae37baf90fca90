"""Which requests take an optimisation: whose switch counts, and who falls on which side of a percentage."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.switches import allows, effective, switch_from
from pennyworth.outcome import Layer
from pennyworth.plan import OFF, ON, Plan, Route, Switch
from pennyworth.view import Control

PLAN, ROUTE, CONTROL = Plan(providers=()), Route(name="chat"), Control()
HALF, THIRD, TENTH = Switch(50.0), Switch(33.0), Switch(10.0)

keys = st.binary(min_size=32, max_size=32)
percents = st.floats(0, 100)
layers = st.sampled_from(["exact", "normalised", "semantic", "coalesced", "stale", "routing", "batch"])


def at(percent: float) -> Control:
    return Control(switches={"exact": Switch(percent)})


@pytest.mark.parametrize(
    ("plan", "route", "runtime", "counts"),
    [
        ({}, {}, {}, ON),
        ({"exact": HALF}, {}, {}, HALF),
        ({"exact": HALF}, {"exact": THIRD}, {}, THIRD),
        ({"exact": HALF}, {"exact": THIRD}, {"exact": TENTH}, TENTH),
        ({"exact": HALF}, {"exact": THIRD}, {"exact": TENTH, "exact@chat": OFF}, OFF),
        ({"exact": OFF}, {"exact": OFF}, {"exact@chat": ON}, ON),
        ({"exact": OFF}, {}, {"exact@other": ON}, OFF),
        ({"normalised": OFF}, {"semantic": OFF}, {"coalesced": OFF}, ON),
    ],
)
def test_the_nearest_switch_counts(
    plan: dict[Layer, Switch], route: dict[Layer, Switch], runtime: dict[str, Switch], counts: Switch
) -> None:
    found = effective(
        "exact", Route(name="chat", switches=route), Plan(providers=(), switches=plan), Control(switches=runtime)
    )
    assert found == counts


@given(layers, keys)
def test_on_takes_everything_and_off_nothing(layer: Layer, key: bytes) -> None:
    assert allows(layer, ROUTE, PLAN, Control(switches={layer: ON}), key)
    assert not allows(layer, ROUTE, PLAN, Control(switches={layer: OFF}), key)


@given(keys, percents, percents)
def test_a_key_that_is_in_stays_in_as_the_percentage_rises(key: bytes, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert allows("exact", ROUTE, PLAN, at(high), key) or not allows("exact", ROUTE, PLAN, at(low), key)


@pytest.mark.parametrize("percent", [0.0, 0.5, 5.0, 25.0, 50.0, 90.0, 99.5, 100.0])
def test_the_share_of_keys_is_the_percentage(percent: float) -> None:
    count = 20_000
    taken = sum(
        allows("exact", ROUTE, PLAN, at(percent), hashlib.sha256(str(number).encode()).digest())
        for number in range(count)
    )
    assert abs(100.0 * taken / count - percent) < 1.2


def test_two_layers_at_half_are_not_on_for_the_same_requests() -> None:
    control = Control(switches={"exact": HALF, "semantic": HALF})
    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(4000)]
    both = sum(
        allows("exact", ROUTE, PLAN, control, key) and allows("semantic", ROUTE, PLAN, control, key) for key in digests
    )
    assert abs(both / 4000 - 0.25) < 0.04


@given(layers, st.binary(max_size=40), st.floats())
def test_any_key_and_any_number_get_an_answer(layer: Layer, key: bytes, percent: float) -> None:
    assert allows(layer, ROUTE, PLAN, Control(switches={layer: Switch(percent)}), key) in (True, False)


@pytest.mark.parametrize(
    ("text", "switch"),
    [
        ("on", ON), ("off", OFF), (" ON ", ON), ("true", ON), ("false", OFF), ("25", Switch(25.0)), ("12.5 %", Switch(12.5)),
        ("100%", ON), ("0", OFF), ("101", None), ("-1", None), ("nan", None), ("inf", None), ("", None), ("half", None), ("%", None),
    ],
)  # fmt: skip
def test_switches_are_read_as_people_write_them(text: str, switch: Switch | None) -> None:
    assert switch_from(text) == switch
