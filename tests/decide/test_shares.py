"""The tokens of a batch, shared among its items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.shares import shares

WEIGHTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=50)


@given(st.integers(0, 10**9), WEIGHTS)
def test_shares_are_whole_and_add_up_and_none_is_a_token_off(total: int, weights: list[int]) -> None:
    given_ = shares(total, weights)
    assert sum(given_) == total
    assert all(isinstance(share, int) and share >= 0 for share in given_)
    assert all(
        abs(share * sum(weights) - total * weight) < sum(weights) for share, weight in zip(given_, weights, strict=True)
    )


@given(st.integers(1, 1000), WEIGHTS)
def test_where_our_count_is_the_providers_each_gets_its_own(times: int, weights: list[int]) -> None:
    assert shares(times * sum(weights), weights) == [times * weight for weight in weights]


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [(5, [1], [5]), (5, [1, 1], [3, 2]), (1, [1, 1, 1], [1, 0, 0]), (10, [1, 3], [3, 7]), (0, [4, 5], [0, 0])],
)
def test_what_is_left_over_goes_to_who_lost_most(total: int, weights: list[int], expected: list[int]) -> None:
    assert shares(total, weights) == expected
