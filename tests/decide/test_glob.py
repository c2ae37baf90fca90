"""Patterns of the configuration: a star stands for any run of characters, and nothing else is special."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.glob import any_matches, matches


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*", "anything", True),
        ("*", "", True),
        ("gpt-*", "gpt-4o", True),
        ("gpt-*", "gpt-", True),
        ("gpt-*", "GPT-4o", False),
        ("*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-mini", False),
        ("a*a", "a", False),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-?o", "gpt-4o", False),
        ("gpt-[4]o", "gpt-4o", False),
        ("gpt.4", "gptx4", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, name: str, does: bool) -> None:
    assert matches(pattern, name) is does


@given(st.text(alphabet="ab*", max_size=10), st.text(alphabet="ab", max_size=12))
def test_it_agrees_with_the_regular_expression_it_stands_for(pattern: str, name: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert matches(pattern, name) is bool(re.fullmatch(expression, name, re.DOTALL))


def test_one_of_several_patterns_is_enough() -> None:
    assert any_matches(("claude-*", "gpt-*"), "gpt-4o")
    assert not any_matches(("claude-*",), "gpt-4o")
    assert not any_matches((), "gpt-4o")
