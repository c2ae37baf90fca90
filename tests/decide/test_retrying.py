"""Pauses between tries: doubling, with jitter, as the provider asks, never beyond the caller's deadline."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.retrying import asked_pause_s, pause_s
from pennyworth.plan import Persistence

USUAL = Persistence()
NOW = 1_790_000_000.0


def date(at_s: float) -> str:
    return format_datetime(datetime.fromtimestamp(at_s, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": date(NOW + 12)}, 12.0),
        ({"retry-after": date(NOW - 3600)}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "Fri, 99 Foo 99999 99:99:99 GMT"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "later", "retry-after": "9"}, 9.0),
    ],
)
def test_what_a_provider_asks_for_is_read_or_passed_over(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_pause_s(headers.items(), NOW) == (pytest.approx(seconds, abs=1) if seconds else seconds)


def test_pauses_double_and_end_with_the_tries() -> None:
    given = [pause_s(USUAL, tries, None, 60.0, 0.0) for tries in (1, 2, 3, 4)]
    assert given == [0.5, 1.0, None, None]


@given(
    tries=st.integers(1, 9),
    asked=st.none() | st.floats(0, 1e9),
    left=st.floats(0, 100),
    chance=st.floats(0, 1, exclude_max=True),
    longest=st.floats(0, 100),
)
def test_no_pause_is_beyond_the_deadline_or_shorter_than_was_asked_for(
    tries: int, asked: float | None, left: float, chance: float, longest: float
) -> None:
    spec = Persistence(tries=5, longest_pause_s=longest)
    pause = pause_s(spec, tries, asked, left, chance)
    if pause is not None:
        assert 0 <= pause < left
        assert tries < spec.tries
        assert asked is None or asked <= longest
        assert asked is None or pause >= asked
