"""A purge kills what was asked for before it and matches, and nothing else; a change that changes nothing is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pennyworth.decide.invalidate import (
    MOST_PURGES,
    bump_revision,
    disable,
    enable,
    purge,
    see_fingerprint,
    set_switch,
)
from pennyworth.errors import RequestError
from pennyworth.money import Usage
from pennyworth.outcome import Answer
from pennyworth.plan import OFF, ON, Switch
from pennyworth.view import Control, Select

NOW = 1_800_000_000.0
KEYS = ["ab" * 32, "cd" * 32]


def answer(
    control: Control, *, model: str = "m1", scope: str = "s1", tags: tuple[str, ...] = (), created_s: float = NOW
) -> Answer:
    """An answer that was asked for while ``control`` was the row."""
    return Answer(
        id="a", form="chat", scope=scope, model=model, target="p/m", raw=b"{}", streamed=False, usage=Usage(),
        priced_at_s=created_s, created_s=created_s, asked_epoch=control.epoch, kind="other", tags=tags,
    )  # fmt: skip


def everything(selector: Select, value: str, it: Answer, key: str) -> bool:
    """What a purge says it selects, in the plainest words."""
    match selector:
        case "all":
            return True
        case "key":
            return key.startswith(value[:16])
        case "model":
            return it.model == value
        case "scope":
            return it.scope == value
        case "tag":
            return value in it.tags
        case _:
            return it.created_s < float(value)


purges = st.one_of(
    st.just(("all", "")),
    st.tuples(st.just("key"), st.sampled_from([KEYS[0], KEYS[1][:16], "ef" * 8])),
    st.tuples(st.just("model"), st.sampled_from(["m1", "m2"])),
    st.tuples(st.just("scope"), st.sampled_from(["s1", "s2"])),
    st.tuples(st.just("tag"), st.sampled_from(["t1", "t2", "t3"])),
    st.tuples(st.just("older_than"), st.sampled_from([str(NOW - 50), str(NOW - 10)])),
)
answers = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["m1", "m2"]),
        "scope": st.sampled_from(["s1", "s2"]),
        "tags": st.lists(st.sampled_from(["t1", "t2"]), max_size=2, unique=True).map(tuple),
        "created_s": st.sampled_from([NOW - 60, NOW - 30, NOW]),
    }
)


@given(st.lists(purges, max_size=12), st.integers(0, 12), answers, st.sampled_from(KEYS))
def test_an_answer_is_dead_exactly_when_a_matching_purge_came_after_it_was_asked(
    made: list[tuple[Select, str]], asked_after: int, like: dict[str, Any], key: str
) -> None:
    control, it = Control(), None
    for place, (by, value) in enumerate(made):
        if place == asked_after:
            it = answer(control, **like)
        control = purge(control, by, value, NOW)
    it = it or answer(control, **like)
    later = made[asked_after:] + [old for old in made[:asked_after] if old[0] == "older_than"]  # an age is never undone
    assert control.kills(it, key) is any(everything(by, value, it, key) for by, value in later)


@given(st.lists(purges, max_size=12))
def test_each_purge_raises_the_epoch_by_one(made: list[tuple[Select, str]]) -> None:
    control = Control(epoch=7)
    for by, value in made:
        control = purge(control, by, value, NOW)
    assert control.epoch == 7 + len(made)
    assert control.version == 0


def test_purging_everything_forgets_the_purges_before_it() -> None:
    control = purge(purge(Control(), "tag", "t1", NOW), "model", "m1", NOW)
    assert purge(control, "all", "", NOW).purges == {"all:": 3}


def test_purges_stay_bounded_and_none_is_lost() -> None:
    control, old = Control(), []
    for number in range(3 * MOST_PURGES):
        old.append(answer(control, tags=(f"t{number}",)))
        control = purge(control, "tag", f"t{number}", NOW)
        assert len(control.purges) <= MOST_PURGES
    assert all(control.kills(it, KEYS[0]) for it in old)
    assert not control.kills(answer(control, tags=("t1",)), KEYS[0])


def test_the_same_purge_again_takes_no_more_room() -> None:
    control = Control()
    for _ in range(50):
        control = purge(control, "tag", "t1", NOW)
    assert control.purges == {"tag:t1": 50}


def test_a_key_may_be_given_in_part_and_in_capitals() -> None:
    control = purge(Control(), "key", "AB" * 8, NOW)
    assert control.kills(answer(Control()), KEYS[0])
    assert not control.kills(answer(Control()), KEYS[1])


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("nothing", "x"), ("", ""), ("all", "x"), ("model", ""), ("tag", "x" * 513), ("scope", ""),
        ("key", ""), ("key", "ab" * 7), ("key", "zz" * 8), ("key", "ab" * 33), ("key", "０" * 16),
        ("older_than", ""), ("older_than", "soon"), ("older_than", "nan"), ("older_than", "inf"), ("older_than", "-5"),
        ("older_than", str(NOW + 1)),
    ],
)  # fmt: skip
def test_a_selector_that_cannot_be_used_is_refused_with_what_to_do(by: Any, value: str) -> None:
    with pytest.raises(RequestError) as raised:
        purge(Control(), by, value, NOW)
    assert raised.value.status == 400
    assert raised.value.code == "invalid_selector"


def test_the_kill_switch_goes_off_and_on_and_keeps_the_rest() -> None:
    control = purge(Control(), "tag", "t1", NOW)
    assert disable(control) == replace(control, enabled=False)
    assert enable(disable(control)) == control
    assert enable(control) is control
    assert disable(disable(control)) == disable(control)


def test_a_switch_is_set_for_a_layer_or_a_route_and_given_back() -> None:
    control = set_switch(Control(), "exact", OFF, ["chat"])
    control = set_switch(control, "exact@chat", Switch(25.0), ["chat"])
    assert control.switches == {"exact": OFF, "exact@chat": Switch(25.0)}
    assert set_switch(control, "exact", OFF, ["chat"]) is control
    assert set_switch(control, "exact", None, ["chat"]).switches == {"exact@chat": Switch(25.0)}
    assert set_switch(control, "semantic", None, []) is control


@pytest.mark.parametrize(
    ("where", "switch"),
    [("exakt", ON), ("own", ON), ("exact@nowhere", ON), ("exact@", ON), ("", ON), ("exact", Switch(101.0)), ("exact", Switch(float("nan")))],
)  # fmt: skip
def test_a_switch_that_would_do_nothing_is_refused(where: str, switch: Switch) -> None:
    with pytest.raises(RequestError):
        set_switch(Control(), where, switch, ["chat"])


def test_a_revision_starts_a_new_epoch_of_one_model() -> None:
    control = bump_revision(bump_revision(Control(), "m1"), "m1")
    assert control.revisions == {"m1": 2}
    with pytest.raises(RequestError):
        bump_revision(control, "")


def test_another_fingerprint_starts_an_epoch_and_the_first_does_not() -> None:
    first = see_fingerprint(Control(), "m1", "fp_a")
    assert (first.fingerprints, first.revisions) == ({"m1": "fp_a"}, {})
    assert see_fingerprint(first, "m1", "fp_a") is first
    assert see_fingerprint(first, "m1", "") is first
    second = see_fingerprint(first, "m1", "fp_b")
    assert (second.fingerprints, second.revisions) == ({"m1": "fp_b"}, {"m1": 1})
    assert see_fingerprint(second, "m2", "fp_b").revisions == {"m1": 1}


def test_two_workers_that_see_the_same_change_start_one_epoch() -> None:
    first = see_fingerprint(Control(), "m1", "fp_a")
    once = see_fingerprint(first, "m1", "fp_b")
    assert see_fingerprint(once, "m1", "fp_b") is once
