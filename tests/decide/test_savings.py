"""Money adds up: each token is charged once and exactly, and spent plus saved is what it would have cost."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.decide.savings import Books, books, cost, weakest
from pennyworth.decide.tariff import tariff, waiting
from pennyworth.money import PICO, ZERO, Basis, Money, Price, Rate, Tier, Usage
from pennyworth.outcome import Served

tokens = st.integers(0, 3_000_000)
amounts = st.decimals(0, 200, places=4)
bases = st.sampled_from(get_args(Basis))
money = st.integers(-(10**18), 10**18).map(Money)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    starts = sorted(draw(st.sets(st.sampled_from([1000, 128_000, 200_000, 1_000_000]), max_size=3)))
    return Rate(draw(amounts), tuple(Tier(start, draw(amounts)) for start in starts))


prices = st.builds(
    Price,
    input=rates(),
    output=rates(),
    cached=st.none() | rates(),
    cache_write=st.none() | rates(),
    reasoning=st.none() | rates(),
    input_audio=st.none() | rates(),
    output_audio=st.none() | rates(),
    cache_write_1h=st.none() | rates(),
    per_request=amounts,
    multiplier=st.sampled_from([Decimal(1), Decimal("0.8"), Decimal("0.333333333333333333333333333333")]),
)

usages = st.builds(
    Usage,
    input=tokens,
    output=tokens,
    cached=tokens,
    cache_write=tokens,
    reasoning=tokens,
    input_audio=tokens,
    output_audio=tokens,
    cache_write_1h=tokens,
)


def by_hand(price: Price, usage: Usage) -> Fraction:
    """The same sum over fractions, in dollars, written from the rules of the price alone."""
    counts = {"cached": usage.cached, "cache_write": usage.cache_write, "input_audio": usage.input_audio}
    total, rest = Fraction(price.per_request), usage.input
    for name, count in counts.items():
        part = min(count, rest)
        total += Fraction((getattr(price, name) or price.input).at(usage.input)) * part / 10**6
        rest -= part
        if name == "cache_write":
            hour = min(usage.cache_write_1h, part)
            rate = 2 * Fraction(price.input.at(usage.input))
            if price.cache_write_1h:
                rate = Fraction(price.cache_write_1h.at(usage.input))
            total += (rate - Fraction((price.cache_write or price.input).at(usage.input))) * hour / 10**6
    total += Fraction(price.input.at(usage.input)) * rest / 10**6
    rest = usage.output
    for name, count in {"reasoning": usage.reasoning, "output_audio": usage.output_audio}.items():
        part = min(count, rest)
        total += Fraction((getattr(price, name) or price.output).at(usage.input)) * part / 10**6
        rest -= part
    return (total + Fraction(price.output.at(usage.input)) * rest / 10**6) * Fraction(price.multiplier)


@settings(max_examples=60, deadline=None)
@given(prices, usages)
def test_a_cost_is_the_exact_sum_rounded_once_half_to_even(price: Price, usage: Usage) -> None:
    assert cost(price, usage).pico == round(by_hand(price, usage) * PICO)


@settings(max_examples=60, deadline=None)
@given(prices, st.builds(Usage, *[st.integers(-(10**7), 10**7)] * 8))
def test_a_cost_is_never_negative_and_never_more_than_every_token_at_the_dearest_rate(
    price: Price, usage: Usage
) -> None:
    spent = cost(price, usage)
    kinds = [
        price.input,
        price.output,
        price.cached,
        price.cache_write,
        price.reasoning,
        price.input_audio,
        price.output_audio,
    ]
    if usage.cache_write_1h > 0:
        kinds.append(price.cache_write_1h or Rate(2 * price.input.at(usage.input)))
    dearest = max(rate.at(usage.input) for rate in kinds if rate is not None)
    most = (max(usage.input, 0) + max(usage.output, 0)) * Fraction(dearest) / 10**6 + Fraction(price.per_request)
    assert 0 <= spent.pico <= most * Fraction(price.multiplier) * PICO + 1


@settings(max_examples=60, deadline=None)
@given(prices, usages)
def test_the_precision_of_the_application_around_us_does_not_reach_the_books(price: Price, usage: Usage) -> None:
    with localcontext() as context:
        context.prec = 3
        coarse = cost(price, usage)
    assert coarse == cost(price, usage)


PRICE = Price(
    input=Rate(Decimal("0.15")),
    output=Rate(Decimal("0.60")),
    cached=Rate(Decimal("0.075")),
    reasoning=Rate(Decimal("0.30")),
)


@pytest.mark.parametrize(
    ("usage", "pico"),
    [
        (Usage(), 0),
        (Usage(input=1), 150_000),
        (Usage(output=1), 600_000),
        (Usage(input=10, cached=4), 6 * 150_000 + 4 * 75_000),
        (Usage(input=10, cached=10), 10 * 75_000),
        (Usage(input=10, cached=12), 10 * 75_000),
        (Usage(input=10, cached=6, cache_write=6), 6 * 75_000 + 4 * 150_000),
        (Usage(input=10, cached=2, cache_write=6, cache_write_1h=4), 4 * 150_000 + 2 * 75_000 + 4 * 300_000),
        (Usage(input=10, cache_write=6, cache_write_1h=9), 4 * 150_000 + 6 * 300_000),
        (Usage(input=10, cache_write_1h=9), 10 * 150_000),
        (Usage(output=10, reasoning=4), 6 * 600_000 + 4 * 300_000),
        (Usage(output=10, reasoning=40), 10 * 300_000),
        (Usage(input=10, input_audio=4, output=10, output_audio=5), 10 * 150_000 + 10 * 600_000),
        (Usage(input=-5, output=-5, cached=-5, reasoning=-5), 0),
        (Usage(input=10, cached=-5), 10 * 150_000),
    ],
)
def test_parts_are_charged_once_and_kinds_without_a_rate_as_the_whole_is(usage: Usage, pico: int) -> None:
    assert cost(PRICE, usage) == Money(pico)


TIERED = Price(
    input=Rate(Decimal(1), (Tier(100, Decimal(2)), Tier(200, Decimal(4)))),
    output=Rate(Decimal(10), (Tier(200, Decimal(20)),)),
)


@pytest.mark.parametrize(("asked", "per_input", "per_output"), [(100, 1, 10), (101, 2, 10), (200, 2, 10), (201, 4, 20)])
def test_above_a_threshold_of_input_the_whole_request_is_dearer(asked: int, per_input: int, per_output: int) -> None:
    assert cost(TIERED, Usage(input=asked, output=7)).pico == (asked * per_input + 7 * per_output) * 10**6


@pytest.mark.parametrize(("tokens", "pico"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_a_picodollar_is_rounded_to_even_once_a_call(tokens: int, pico: int) -> None:
    half = Price(input=Rate(Decimal("0.0000005")), output=Rate(Decimal(0)))
    assert cost(half, Usage(input=tokens)).pico == pico


def test_a_published_price_is_charged_in_whole_picodollars() -> None:
    assert tariff(PRICE).unit == 1


# Books


def total(split: Books) -> Money:
    return sum(split.saved.values(), split.spent)


@given(st.sampled_from(get_args(Served)), money, money, money, bases, bases)
def test_spent_and_saved_are_what_it_would_have_cost(
    served: Served, would: Money, spent: Money, own: Money, would_basis: Basis, basis: Basis
) -> None:
    split = books(served, would_have_cost=would, spent=spent, own=own, would_basis=would_basis, basis=basis)
    assert total(split) == split.would_have_cost
    assert split.spent == spent + own
    assert split.own == own
    assert ZERO not in split.saved.values()


@given(st.sampled_from(get_args(Served)), money, money, money, bases)
def test_nothing_is_claimed_against_an_amount_that_is_not_known(
    served: Served, would: Money, spent: Money, own: Money, other: Basis
) -> None:
    for would_basis, basis in (("unpriced", other), (other, "unpriced")):
        split = books(served, would_have_cost=would, spent=spent, own=own, would_basis=would_basis, basis=basis)
        assert split.would_basis == "unpriced"
        assert split.basis == basis
        assert split.saved == ({"own": -own} if own else {})


@pytest.mark.parametrize("served", ["exact", "normalised", "semantic", "coalesced", "stale"])
def test_a_reply_of_our_own_saves_the_whole_call_in_its_layer(served: Served) -> None:
    split = books(served, would_have_cost=Money(500), spent=ZERO, basis="none")
    assert split.saved == {served: Money(500)}
    assert split.spent == ZERO
    assert (split.would_basis, split.basis) == ("metered", "none")


def test_our_own_work_is_a_negative_saving_and_part_of_what_was_spent() -> None:
    split = books("semantic", would_have_cost=Money(500), spent=ZERO, own=Money(30))
    assert split.saved == {"semantic": Money(500), "own": Money(-30)}
    assert split.spent == Money(30)


def test_a_stale_answer_after_a_failed_call_saves_the_rest() -> None:
    assert books("stale", would_have_cost=Money(500), spent=Money(80)).saved == {"stale": Money(420)}


def test_routing_earns_the_difference_and_bears_it_when_dearer() -> None:
    assert books("upstream", would_have_cost=Money(500), spent=Money(200)).saved == {"routing": Money(300)}
    assert books("upstream", would_have_cost=Money(500), spent=Money(700)).saved == {"routing": Money(-200)}
    assert books("upstream", would_have_cost=Money(500), spent=Money(500)).saved == {}


def test_what_a_batch_api_saves_is_booked_under_its_own_layer() -> None:
    made = books("upstream", would_have_cost=Money(10), spent=Money(5), waited=True)
    assert made.saved == {"batch": Money(5)}


@given(prices, usages, st.sampled_from([Decimal("0.5"), Decimal("0.4"), Decimal(1)]))
def test_what_can_wait_costs_the_same_sum_times_the_factor_of_the_batch_rounded_once(
    price: Price, usage: Usage, factor: Decimal
) -> None:
    price = msgspec.structs.replace(price, batch=factor)
    exact = by_hand(price, usage) * PICO * Fraction(factor)
    assert cost(waiting(price), usage) == Money(round(exact))


def test_a_request_without_a_reply_saves_nothing() -> None:
    split = books("none", would_have_cost=Money(500), spent=Money(20), basis="estimated", own=Money(5))
    assert split.saved == {"own": Money(-5)}
    assert (split.would_have_cost, split.would_basis) == (Money(20), "estimated")


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ((), "none"),
        (("none", "none"), "none"),
        (("none", "metered"), "metered"),
        (("metered", "estimated"), "estimated"),
        (("estimated", "unpriced", "metered"), "unpriced"),
    ],
)
def test_a_sum_is_as_certain_as_its_least_certain_part(parts: tuple[Basis, ...], whole: Basis) -> None:
    assert weakest(*parts) == whole
