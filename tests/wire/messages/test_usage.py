"""Anthropic's counts as ours: what it leaves out of its input is in ours, and each token is counted once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.money import Usage
from pennyworth.wire.messages.usage import merged, read_counts

COUNT = st.none() | st.integers(0, 10**6)


def usage(**counts: Any) -> Usage | None:
    found = read_counts(msgspec.json.encode(counts))
    return found.usage() if found else None


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 7}, Usage(input=5, output=7)),
        (
            {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30},
            Usage(input=55, output=7, cached=20, cache_write=30),
        ),
        (
            {
                "input_tokens": 5,
                "output_tokens": 7,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 18, "ephemeral_1h_input_tokens": 12},
            },
            Usage(input=35, output=7, cache_write=30, cache_write_1h=12),
        ),
        (
            {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(input=5, output=7, reasoning=4),
        ),
        ({"input_tokens": 5, "output_tokens": 7, "cache_creation": None, "server_tool_use": None}, Usage(5, 7)),
        ({"input_tokens": 5}, None),
        ({"output_tokens": 5}, None),
        ({"input_tokens": -5, "output_tokens": 7}, None),
        ({"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": -1}, None),
        ({"input_tokens": 10**11, "output_tokens": 7}, None),
        ({"input_tokens": "5", "output_tokens": 7}, None),
    ],
)
def test_usage_is_read_or_left_to_be_estimated(counts: dict[str, Any], expected: Usage | None) -> None:
    assert usage(**counts) == expected


def test_what_a_compaction_took_is_counted_apart_and_paid_all_the_same() -> None:
    own = {"input_tokens": 5, "output_tokens": 7}
    apart = {"type": "compaction", "input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 10}
    turn = {"type": "message", **own}
    assert usage(**own, iterations=[apart, turn]) == Usage(input=115, output=27, cached=10)


@pytest.mark.parametrize(("served", "used"), [(None, False), ({"web_search_requests": 0}, False), ({"web_search_requests": 2}, True)])  # fmt: skip
def test_searches_are_told_by_the_counts(served: Any, used: bool) -> None:
    found = read_counts(msgspec.json.encode({"server_tool_use": served}))
    assert found is not None
    assert found.served == used


@given(st.lists(st.fixed_dictionaries({}, optional={"input_tokens": COUNT, "output_tokens": COUNT, "cache_read_input_tokens": COUNT}), min_size=1))  # fmt: skip
def test_of_each_count_the_one_said_last_counts(said: list[dict[str, int | None]]) -> None:
    found = None
    for counts in said:
        read = read_counts(msgspec.json.encode(counts))
        assert read is not None
        found = merged(found, read)
    last = {name: value for counts in said for name, value in counts.items() if value is not None}
    assert found is not None
    assert {name: value for name in last if (value := getattr(found, name)) is not None} == last
