"""Popularity earns life, but never beyond the class's maximum, never beyond the cap, and never for what goes stale."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pennyworth.decide.lifetime import expires, fresh, on_route, renewed
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept
from pennyworth.plan import CacheSpec, Lifetime, Route
from pennyworth.request import Directives, Key

HOUR, DAY = 3600.0, 86400.0
NOW = 1_800_000_000.0
SPEC = CacheSpec()
SHIPPED = {lifetime.name: lifetime for lifetime in DEFAULT_LIFETIMES}

times = st.floats(0, 60 * DAY)
asks = st.integers(0, 10**9)
specs = st.builds(CacheSpec, earn_after=st.integers(0, 100), age_cap_s=st.floats(1, 90 * DAY))


@st.composite
def lifetimes(draw: st.DrawFn) -> Lifetime:
    ttl_s = draw(times)
    return Lifetime(name="any", ttl_s=ttl_s, max_s=ttl_s + draw(times))


def kept(*, created_s: float = NOW, expires_s: float = NOW + HOUR, asks: int = 1, stale_s: float = 0.0) -> Kept:
    answer = Answer(
        id="a", form="chat", scope="s", model="m", target="p/m", raw=b"{}", streamed=False, usage=Usage(),
        priced_at_s=created_s, created_s=created_s, asked_epoch=0, kind="other",
    )  # fmt: skip
    return Kept(key=Key(b"k" * 32), answer=answer, expires_s=expires_s, stale_s=stale_s, asks=asks)


@pytest.mark.parametrize(
    ("name", "times_asked", "life_s"),
    [
        ("realtime", 1, 0), ("realtime", 1000, 0), ("factual", 1, 300), ("factual", 1000, 300),
        ("other", 1, HOUR), ("other", 2, HOUR), ("other", 3, 2 * HOUR), ("other", 6, 4 * HOUR), ("other", 1000, DAY),
        ("opinion", 1, HOUR), ("code", 1, DAY), ("code", 3, 2 * DAY), ("code", 1000, 7 * DAY),
        ("static", 1, 7 * DAY), ("static", 3, 14 * DAY), ("static", 1000, 30 * DAY),
    ],
)  # fmt: skip
def test_the_shipped_classes_live_and_earn_as_documented(name: str, times_asked: int, life_s: float) -> None:
    assert expires(SHIPPED[name], NOW, times_asked, NOW, SPEC) == (NOW + life_s if life_s else 0.0)


@given(lifetimes(), asks, specs, st.floats(0, 120 * DAY))
def test_no_answer_outlives_its_maximum_or_the_cap(lifetime: Lifetime, n: int, spec: CacheSpec, age_s: float) -> None:
    until_s = expires(lifetime, NOW, n, NOW + age_s, spec)
    assert until_s <= NOW + min(lifetime.max_s, spec.age_cap_s)


@given(lifetimes(), asks, asks, specs)
def test_being_asked_more_never_shortens_a_life(lifetime: Lifetime, n: int, more: int, spec: CacheSpec) -> None:
    assert expires(lifetime, NOW, n, NOW, spec) <= expires(lifetime, NOW, n + more, NOW, spec)


@given(lifetimes(), asks, specs, st.floats(0, 120 * DAY))
def test_what_is_kept_expires_later_than_now(lifetime: Lifetime, n: int, spec: CacheSpec, age_s: float) -> None:
    until_s = expires(lifetime, NOW, n, NOW + age_s, spec)
    assert until_s == 0.0 or until_s > NOW + age_s


@given(asks, specs)
def test_a_class_whose_maximum_is_its_first_life_earns_nothing(n: int, spec: CacheSpec) -> None:
    steady = Lifetime(name="steady", ttl_s=300.0, max_s=300.0)
    assert expires(steady, NOW, n, NOW, spec) == expires(steady, NOW, 0, NOW, spec)


@given(lifetimes(), asks, specs)
def test_a_renewed_answer_lives_longer_and_within_its_bounds(lifetime: Lifetime, n: int, spec: CacheSpec) -> None:
    first_s = expires(lifetime, NOW, 1, NOW, spec)
    assume(first_s > 0.0)
    later_s = renewed(kept(expires_s=first_s, asks=n), lifetime, NOW + 1.0, spec)
    assert later_s is None or first_s < later_s <= NOW + min(lifetime.max_s, spec.age_cap_s)


def test_an_answer_asked_a_hundred_thousand_times_is_written_a_handful_of_times() -> None:
    entry, writes = kept(), 0
    for times_asked in range(1, 100_000):
        now_s = min(NOW + times_asked / 100.0, entry.expires_s - 1.0)
        later_s = renewed(kept(expires_s=entry.expires_s, asks=times_asked), SHIPPED["other"], now_s, SPEC)
        if later_s is not None:
            entry, writes = kept(expires_s=later_s), writes + 1
    assert 1 <= writes <= 10
    assert entry.expires_s == NOW + DAY


def test_a_route_sets_the_life_of_what_may_earn_and_leaves_what_goes_stale() -> None:
    week, minute = Route(ttl_s=7 * DAY), Route(ttl_s=60.0)
    assert on_route(SHIPPED["other"], week).ttl_s == on_route(SHIPPED["other"], week).max_s == 7 * DAY
    assert on_route(SHIPPED["static"], minute).max_s == 60.0
    assert on_route(SHIPPED["realtime"], week).ttl_s == 0.0
    assert on_route(SHIPPED["factual"], week).ttl_s == 300.0
    assert on_route(SHIPPED["factual"], minute).ttl_s == 60.0
    assert on_route(SHIPPED["other"], Route(ttl_s=0.0)).ttl_s == 0.0
    assert on_route(SHIPPED["other"], Route()) == SHIPPED["other"]


@pytest.mark.parametrize(
    ("directives", "age_s", "is_fresh"),
    [
        (Directives(), 0.0, True),
        (Directives(), HOUR - 1, True),
        (Directives(), HOUR, False),
        (Directives(max_age_s=60), 60.0, True),
        (Directives(max_age_s=60), 61.0, False),
        (Directives(max_age_s=2 * 3600), HOUR, False),
        (Directives(max_stale_s=60), HOUR + 59, True),
        (Directives(max_stale_s=60), HOUR + 60, False),
        (Directives(max_stale_s=10**6), HOUR + 299, True),
        (Directives(max_stale_s=10**6), HOUR + 300, False),
    ],
)
def test_a_caller_says_how_old_an_answer_may_be(directives: Directives, age_s: float, is_fresh: bool) -> None:
    assert fresh(kept(stale_s=300.0), directives, NOW + age_s) is is_fresh
