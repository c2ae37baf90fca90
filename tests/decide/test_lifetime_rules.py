"""How rules are compiled, how little a long or odd question costs, and what the shipped classes promise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.lifetime import EDGE_CHARS, Rules, classify, compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.errors import ConfigError
from pennyworth.plan import Lifetime

SHIPPED = compile_rules(DEFAULT_LIFETIMES, "other")
OTHER = Lifetime(name="other", ttl_s=3600.0, max_s=3600.0)


def rules(*lifetimes: Lifetime) -> Rules:
    return compile_rules((*lifetimes, OTHER), "other")


def lifetime(name: str, *patterns: str, ignore: tuple[str, ...] = ()) -> Lifetime:
    return Lifetime(name=name, ttl_s=1.0, max_s=1.0, patterns=patterns, ignore=ignore)


def test_the_shipped_times_are_the_documented_ones() -> None:
    times = {lifetime.name: (lifetime.ttl_s, lifetime.max_s) for lifetime in DEFAULT_LIFETIMES}
    assert times == {
        "realtime": (0.0, 0.0),
        "factual": (300.0, 300.0),
        "opinion": (3600.0, 86400.0),
        "code": (86400.0, 7 * 86400.0),
        "static": (7 * 86400.0, 30 * 86400.0),
        "embedding": (30 * 86400.0, 30 * 86400.0),
        "other": (3600.0, 86400.0),
    }


def test_the_first_class_that_matches_wins() -> None:
    compiled = rules(lifetime("first", "price"), lifetime("second", "price policy"))
    assert classify("price policy", compiled).name == "first"


def test_an_ignored_phrase_does_not_count_but_the_rest_does() -> None:
    compiled = rules(lifetime("now", r"\bnow\b", ignore=("now that",)))
    assert classify("now that it is done", compiled).name == "other"
    assert classify("now that it is done, what happens now", compiled).name == "now"


def test_patterns_are_tried_without_regard_to_case() -> None:
    assert classify("THE PRICE", rules(lifetime("price", "price"))).name == "price"


def test_a_class_without_patterns_matches_nothing() -> None:
    assert classify("anything", rules(lifetime("empty"))).name == "other"


@pytest.mark.parametrize("pattern", ["(", "(?=look)ahead", r"(a)\1", "[", "\ud800"])
def test_a_pattern_re2_does_not_take_is_named_with_its_key(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"lifetimes\.mine\.patterns") as raised:
        rules(lifetime("mine", "fine", pattern, "fine too"))
    assert repr(pattern)[1:-1] in str(raised.value)


@pytest.mark.parametrize("pattern", ["", "a*", "x|", "^"])
def test_a_pattern_that_matches_every_question_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="every question"):
        rules(lifetime("mine", "fine", pattern))


def test_an_ignored_pattern_is_checked_as_well() -> None:
    with pytest.raises(ConfigError, match=r"lifetimes\.mine\.ignore"):
        rules(lifetime("mine", "fine", ignore=("(",)))


def test_a_default_that_names_no_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nothing'"):
        compile_rules((OTHER,), "nothing")


def test_many_patterns_match_wherever_they_stand_in_the_list() -> None:
    compiled = rules(lifetime("many", *(f"word{number}z" for number in range(100))))
    assert all(classify(f"a word{number}z b", compiled).name == "many" for number in range(100))


def test_a_long_text_is_judged_by_its_ends() -> None:
    middle = "lorem ipsum " * 1000
    assert classify(middle + " What is the weather in Oslo?", SHIPPED).name == "realtime"
    assert classify("What is the weather in Oslo? " + middle, SHIPPED).name == "realtime"
    assert classify(middle + "what is the weather?" + middle, SHIPPED).name == "other"


@given(st.text(), st.integers(0, 3))
def test_what_stands_in_the_middle_of_a_long_text_does_not_matter(middle: str, times: int) -> None:
    head, tail = "h " * EDGE_CHARS, "t " * EDGE_CHARS
    assert classify(head + middle * times + tail, SHIPPED) == classify(head + tail, SHIPPED)


@given(st.text(alphabet=st.characters(categories=None), max_size=200))
def test_any_text_has_a_class(text: str) -> None:
    assert classify(text, SHIPPED) in DEFAULT_LIFETIMES
