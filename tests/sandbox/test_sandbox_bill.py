from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.errors import ConfigError
from pennyworth.sandbox import Bill, BillLine, Settings, Tokens, random_prices
from pennyworth.sandbox.bill import Rates

# dollars per million tokens: input, output, cached; tokens: input, output, cached; picodollars worked out by hand
ROWS = [
    (("0.15", "0.60", "0.075"), (1000, 500, 0), 450_000_000),  # 1000*150,000 + 500*600,000
    (("0.15", "0.60", "0.075"), (2006, 300, 1920), 336_900_000),  # 86*150,000 + 1920*75,000 + 300*600,000
    (("2.50", "10.00", "1.25"), (1, 1, 0), 12_500_000),
    (("2.50", "10.00", "1.25"), (0, 0, 0), 0),
    (("30", "60", "15"), (10**6, 10**6, 10**6), 75 * 10**12),  # all cached: $15 + $60
    (("0.0000005", "0", "0"), (1, 0, 0), 0),  # 0.5 -> 0
    (("0.0000005", "0", "0"), (3, 0, 0), 2),  # 1.5 -> 2
    (("0.0000005", "0", "0"), (5, 0, 0), 2),  # 2.5 -> 2
    (("0.0000005", "0", "0"), (7, 0, 0), 4),  # 3.5 -> 4
    (("0.1234567", "1.7654321", "0.0617283"), (17, 9, 0), 17_987_653),  # 2,098,763.9 + 15,888,888.9 = 17,987,652.8
    (
        ("0.1234567", "1.7654321", "0.0617283"),
        (1500, 11, 1024),
        141_394_922,
    ),  # 58,765,389.2 + 63,209,779.2 + 19,419,753.1 = …921.5, to even
]


@pytest.mark.parametrize(("prices", "tokens", "pico"), ROWS)
def test_an_amount_is_what_one_computes_by_hand(prices, tokens, pico):
    rates = Rates(dict(zip(("input", "output", "cached"), prices, strict=True)))
    assert rates.amount_pico(Tokens(input=tokens[0], output=tokens[1], cached=tokens[2])) == pico


def test_without_a_cached_price_cached_tokens_cost_as_much_as_others():
    rates = Rates({"input": "1", "output": "2"})
    assert rates.amount_pico(Tokens(input=2000, output=0, cached=1024)) == 2000 * 10**6


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6).map(lambda n: f"0.{n:09d}"),
)
def test_an_amount_is_the_decimal_sum_rounded_once_half_to_even(fresh, cached, output, price):
    rates = Rates({"input": price, "output": "1.000000001", "cached": "0.3"})
    with localcontext() as context:
        context.prec = 60
        exact = (fresh * Decimal(price) + output * Decimal("1.000000001") + cached * Decimal("0.3")) * 10**6
        expected = int(exact.to_integral_value(ROUND_HALF_EVEN))
    assert rates.amount_pico(Tokens(fresh + cached, output, cached)) == expected


def test_random_prices_are_the_same_for_a_seed_and_differ_between_seeds():
    models = [f"m{i}" for i in range(40)]
    assert random_prices(1, models) == random_prices(1, models)
    assert random_prices(1, models) != random_prices(2, models)


def test_random_prices_can_be_charged_and_some_need_rounding():
    prices = random_prices(3, [f"m{i}" for i in range(40)])
    Settings(prices=prices)
    assert any(len(price["input"].split(".")[1]) > 6 for price in prices.values())
    assert all(0 < float(price["cached"]) < float(price["input"]) < float(price["output"]) for price in prices.values())


@pytest.mark.parametrize("price", [{"input": "1"}, {"input": "x", "output": "1"}, {"input": "1", "output": "-1"}])
def test_a_price_that_is_none_is_refused_with_its_key(price):
    with pytest.raises(ConfigError, match=r"sandbox\.prices\.m"):
        Settings(prices={"m": price})


def line(number: int, *, billed: bool = True) -> BillLine:
    usage = Tokens(10, 2)
    return BillLine(
        number=number,
        request_id=f"req_{number}",
        model="m",
        tenant="t",
        usage=usage,
        amount_pico=14_000_000 if billed else 0,
        completed=billed,
        billed=billed,
        stream=False,
        status=200,
    )


def test_the_bill_pages_and_forgets_lines_but_never_totals():
    bill = Bill({"m": {"input": "1", "output": "2"}}, max_lines=4)
    for number in range(1, 8):
        bill.add(line(number, billed=number != 2))
    assert [kept.number for kept in bill.page(0, 100)] == [4, 5, 6, 7]
    assert [kept.number for kept in bill.page(5, 1)] == [6]
    assert bill.page(7, 10) == []
    assert bill.dropped == 3
    totals = bill.totals()["m"]
    assert (totals.requests, totals.billed, totals.amount_pico, totals.input) == (7, 6, 6 * 14_000_000, 60)
