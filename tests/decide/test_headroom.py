"""Headers as recorded from providers (tests name them), and the laws that hold for any."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.recorded import WHOLE

from pennyworth.decide.headroom import Headroom, Room, headroom

NOW_S = datetime(2025, 8, 2, 12, 6, 0, tzinfo=UTC).timestamp()

RECORDED: dict[str, tuple[str, Headroom | None]] = {
    "OpenAI": (
        """x-ratelimit-limit-requests: 5000
           x-ratelimit-limit-tokens: 160000
           x-ratelimit-remaining-requests: 4999
           x-ratelimit-remaining-tokens: 159974
           x-ratelimit-reset-requests: 12ms
           x-ratelimit-reset-tokens: 9ms""",
        Headroom(Room(4999, 5000, 0.012), Room(159974, 160000, 0.009)),
    ),
    "OpenAI, two limits of tokens: the nearer one counts": (
        """x-ratelimit-limit-project-tokens: 150000000
           x-ratelimit-limit-requests: 30000
           x-ratelimit-limit-tokens: 150000000
           x-ratelimit-remaining-project-tokens: 149999827
           x-ratelimit-remaining-requests: 29999
           x-ratelimit-remaining-tokens: 149999830
           x-ratelimit-reset-project-tokens: 0s
           x-ratelimit-reset-requests: 2ms
           x-ratelimit-reset-tokens: 0s""",
        Headroom(Room(29999, 30000, 0.002), Room(149999827, 150000000, 0.0)),
    ),
    "OpenAI, images are no requests": (
        """x-ratelimit-remaining-input-images: 49
           x-ratelimit-limit-requests: 30000
           x-ratelimit-remaining-requests: 29999""",
        Headroom(Room(29999, 30000)),
    ),
    "Groq": (
        """x-ratelimit-limit-requests: 14400
           x-ratelimit-limit-tokens: 6000
           x-ratelimit-remaining-requests: 14370
           x-ratelimit-remaining-tokens: 5997
           x-ratelimit-reset-requests: 2m59.56s
           x-ratelimit-reset-tokens: 7.66s""",
        Headroom(Room(14370, 14400, 179.56), Room(5997, 6000, 7.66)),
    ),
    "Azure, whose plain numbers are milliseconds": (
        """x-ratelimit-abusepenalty-active: False
           x-ratelimit-limit-requests: 120
           x-ratelimit-limit-tokens: 120000
           x-ratelimit-remaining-requests: 119
           x-ratelimit-remaining-tokens: 119986
           x-ratelimit-renewalperiod-requests: 60
           x-ratelimit-renewalperiod-tokens: 60
           x-ratelimit-reset-requests: 500
           x-ratelimit-reset-tokens: 7""",
        Headroom(Room(119, 120, 0.5), Room(119986, 120000, 0.007)),
    ),
    "Azure, remaining only": (
        """x-ratelimit-remaining-requests: 118
           x-ratelimit-remaining-tokens: 119968""",
        Headroom(Room(118), Room(119968)),
    ),
    "Mistral": (
        """x-ratelimit-limit-req-10-second: 60
           x-ratelimit-limit-tokens-minute: 2000000
           x-ratelimit-limit-tokens-month: 10000000000
           x-ratelimit-remaining-req-10-second: 53
           x-ratelimit-remaining-tokens-minute: 1999370
           x-ratelimit-remaining-tokens-month: 9999999370
           x-ratelimit-tokens-query-cost: 110""",
        Headroom(Room(53, 60, 10.0), Room(1999370, 2000000, 60.0)),
    ),
    "Mistral, older": (
        """x-ratelimitbysize-limit-minute: 500000
           x-ratelimitbysize-limit-month: 1000000000
           x-ratelimitbysize-remaining-minute: 401381
           x-ratelimitbysize-remaining-month: 997438986""",
        Headroom(None, Room(401381, 500000, 60.0)),
    ),
    "Anthropic": (
        """anthropic-ratelimit-input-tokens-limit: 400000
           anthropic-ratelimit-input-tokens-remaining: 400000
           anthropic-ratelimit-input-tokens-reset: 2025-08-02T12:06:21Z
           anthropic-ratelimit-output-tokens-limit: 80000
           anthropic-ratelimit-output-tokens-remaining: 79000
           anthropic-ratelimit-output-tokens-reset: 2025-08-02T12:06:22Z
           anthropic-ratelimit-requests-limit: 4000
           anthropic-ratelimit-requests-remaining: 3999
           anthropic-ratelimit-requests-reset: 2025-08-02T12:06:21Z""",
        Headroom(Room(3999, 4000, 21.0), Room(79000, 80000, 22.0)),
    ),
    "Together": (
        """x-ratelimit-limit: 2
           x-ratelimit-remaining: 0
           x-ratelimit-reset: 1""",
        Headroom(Room(0, 2, 1.0)),
    ),
    "OpenRouter, in milliseconds since 1970": (
        f"""x-ratelimit-limit: 20
            x-ratelimit-remaining: 0
            x-ratelimit-reset: {int(NOW_S * 1000) + 43_000}""",
        Headroom(Room(0, 20, 43.0)),
    ),
    "Cerebras": (
        """x-ratelimit-limit-requests-day: 1000000000
           x-ratelimit-limit-tokens-minute: 1000000
           x-ratelimit-remaining-requests-day: 999997455
           x-ratelimit-remaining-tokens-minute: 999242
           x-ratelimit-reset-requests-day: 33011.382867097855
           x-ratelimit-reset-tokens-minute: 11.382867097854614""",
        Headroom(Room(999997455, 1000000000, 33011.383), Room(999242, 1000000, 11.383)),
    ),
    "edited by who recorded it": ("x-ratelimit-remaining-requests: X-RATELIMIT-REMAINING-REQUESTS-XXX", None),
    "nothing": ("content-type: application/json\nretry-after: 30", None),
}


@pytest.mark.parametrize("who", RECORDED)
def test_limits_are_read_in_one_unit_whoever_says_them(who: str) -> None:
    text, expected = RECORDED[who]
    assert headroom(_headers(text), NOW_S) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("130ms", 0.13),
        ("2m", 120.0),
        ("1d", 86400.0),
        ("8", 8.0),
        ("0.5", 0.5),
        (str(int(NOW_S) + 5), 5.0),
        ("2025-08-02T12:05:00Z", 0.0),
        ("2025-08-02T14:06:04+02:00", 4.0),
        ("2125-01-01T00:00:00Z", 31 * 86400.0),
        ("9" * 15, 31 * 86400.0),
        ("-3", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_moment_of_renewal_is_read_as_it_is_written(text: str, seconds: float | None) -> None:
    found = headroom([("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", text)], NOW_S)
    assert found == Headroom(Room(1, 0, seconds))


def test_what_is_overdrawn_is_nothing_left() -> None:
    assert headroom([("x-ratelimit-remaining-tokens", "-500")], NOW_S) == Headroom(None, Room(0))


_WORDS = ["limit", "remaining", "reset", "renewalperiod", "requests", "tokens", "minute", "10", "second", "req", ""]
_NAMES = st.lists(st.sampled_from(_WORDS), max_size=5).map(lambda words: "x-ratelimit-" + "-".join(words)) | st.text()


@given(st.lists(st.tuples(_NAMES, st.text(max_size=30) | st.from_regex(r"[0-9.hms]{1,20}"))))
def test_no_header_is_too_odd_and_no_figure_leaves_its_bounds(headers: list[tuple[str, str]]) -> None:
    found = headroom(headers, NOW_S)
    for room in (found.requests, found.tokens) if found else ():
        if room is not None:
            assert 0 <= room.remaining <= 10**15
            assert room.reset_s is None or 0 <= room.reset_s <= 31 * 86400


def test_every_limit_in_the_recorded_traffic_is_understood() -> None:
    if not WHOLE.exists():
        pytest.skip(f"the whole collection of recorded traffic is not on this machine ({WHOLE})")
    seen = 0
    for line in gzip.decompress(WHOLE.read_bytes()).decode().splitlines():
        headers = [(name.lower(), str(value)) for name, value in json.loads(line)["response_headers"].items()]
        left = [
            value for name, value in headers if "ratelimit" in name and "remaining" in name and "images" not in name
        ]
        if any(value.isdigit() for value in left):
            found = headroom(headers, NOW_S)
            assert found is not None
            assert found.requests or found.tokens
            seen += 1
    assert seen > 250


def _headers(text: str) -> list[tuple[str, str]]:
    lines = (line.strip().split(": ", 1) for line in text.splitlines())
    return [(name, value) for name, value in lines]
