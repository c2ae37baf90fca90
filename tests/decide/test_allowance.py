"""Allowances as limits: windows, currencies, which limit decides, and what is said."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.clients import Allowance, Budget, ClientKey
from pennyworth.decide.allowance import Limit, check_currencies, limits_of, refusal, strictest, window
from pennyworth.errors import ConfigError
from pennyworth.money import PICO
from pennyworth.plan import Plan
from pennyworth.secret import Secret
from pennyworth.view import Grant

RATES = {"USD": Decimal(1), "CNY": Decimal("0.1398"), "VND": Decimal("0.000039")}
MOMENTS = st.floats(0, 4_000_000_000)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "now", "since", "until"),
    [
        ("minute", "2026-11-28T14:05:59.9", "2026-11-28T14:05", "2026-11-28T14:06"),
        ("day", "2026-11-28T23:59:59", "2026-11-28", "2026-11-29"),
        ("month", "2026-11-01", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T12:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_windows_are_calendar_windows_of_utc(period, now, since, until):
    assert window(period, at(now)) == (at(since), at(until))


@given(st.sampled_from(["minute", "day", "month"]), MOMENTS)
def test_a_moment_lies_in_its_window_and_the_next_begins_where_it_ends(period, now_s):
    since_s, until_s = window(period, now_s)
    assert since_s <= now_s < until_s
    assert window(period, since_s) == (since_s, until_s)
    assert window(period, until_s)[0] == until_s


def test_own_limits_come_first_and_a_budget_is_counted_in_picodollars():
    grant = Grant(
        client="alice",
        team="search",
        own=Allowance(budgets=(Budget(period="day", amount="20", currency="CNY"),), tokens_per_minute=5),
        of_team=Allowance(budgets=(Budget(period="month", amount="0.000000000001"),)),
        of_all=Allowance(requests_per_minute=7, at_limit="cache_only"),
    )
    found = limits_of(grant, RATES.get)
    assert [(limit.subject, limit.unit, limit.period, limit.ceiling) for limit in found] == [
        ("key:alice", "pico", "day", 2_796_000_000_000),
        ("key:alice", "tokens", "minute", 5),
        ("team:search", "pico", "month", 1),
        ("everyone", "requests", "minute", 7),
    ]
    assert [limit.said for limit in found[:2]] == ["20 CNY a day", "5 tokens a minute"]


@given(st.decimals(0, 10**6, places=6), st.sampled_from(sorted(RATES)))
def test_a_budget_is_never_counted_as_more_than_it_is(amount, currency):
    grant = Grant(own=Allowance(budgets=(Budget(period="day", amount=str(amount), currency=currency),)))
    (limit,) = limits_of(grant, RATES.get)
    exact = amount * RATES[currency] * PICO
    assert 0 <= exact - limit.ceiling < 1


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(period="day", amount="1", currency="XTS"), "no rate"),
        (Budget(period="day", amount="10000000"), "4.6 mil"),
    ],
)
def test_a_budget_that_cannot_be_counted_is_a_configuration_error_that_names_its_key(budget, said):
    key = ClientKey(name="alice", secret=Secret("x"), scope="s", allowance=Allowance(budgets=(budget,)))
    with pytest.raises(ConfigError, match=said) as refused:
        check_currencies(Plan(providers=(), keys=(key,)), RATES.get)
    assert refused.value.key == "keys.alice.budget_day"


def limit(at_limit="refuse", period="day", unit="pico"):
    return Limit(subject="key:a", unit=unit, period=period, ceiling=10, said="x", at_limit=at_limit)


def test_the_strictest_limit_decides_and_of_equals_the_one_that_lasts_longest():
    day, month, soft, softer = limit(), limit(period="month"), limit("cache_only"), limit("downgrade")
    assert strictest([softer, soft, day]) is day
    assert strictest([softer, soft]) is soft
    assert strictest([day, month]) is month


def test_a_rate_says_when_to_ask_again_and_a_budget_that_it_is_no_use():
    rate = refusal(limit(unit="tokens", period="minute"), 3, at("2026-11-28T14:05:58.5"))
    assert (rate.status, rate.retry_after_s, rate.final) == (429, 2, False)
    money = refusal(limit(), -5, at("2026-11-28T14:05"))
    assert (money.status, money.code, money.retry_after_s, money.final) == (429, "insufficient_quota", 0, True)
    assert "0 USD" in money.message
    assert "2026-11-29 00:00 UTC" in money.message
