"""A price can be read by people, to the last decimal and with what it leaves out."""

from __future__ import annotations

from decimal import Decimal

from pennyworth.money import Price, Rate, Tier
from pennyworth.prices.explain import describe

FULL = Price(
    input=Rate(Decimal("1.250"), (Tier(200_000, Decimal("2.50")),)),
    output=Rate(Decimal("1E+1")),
    cached=Rate(Decimal("0.125")),
    per_request=Decimal("0.005"),
    multiplier=Decimal("0.80"),
    source="overlay prices.toml",
    omits=("web searches", "file searches"),
)


def test_a_price_is_told_in_full() -> None:
    assert describe(FULL, "acme", "large") == [
        ("model", "acme/large"),
        ("source", "overlay prices.toml"),
        ("input", "$1.25 per million tokens, $2.5 above 200,000 tokens of input"),
        ("cached input", "$0.125 per million tokens"),
        ("output", "$10 per million tokens"),
        ("per request", "$0.005"),
        ("multiplier", "× 0.8 on all of the above"),
        ("example", "1,000 tokens in, 500 out: $0.009"),
        ("not counted", "web searches; file searches"),
    ]


def test_a_plain_price_says_no_more_than_it_has() -> None:
    plain = Price(input=Rate(Decimal(0)), output=Rate(Decimal("0.00000001")))
    assert [label for label, _ in describe(plain, "acme", "small")] == ["model", "source", "input", "output", "example"]
    assert ("output", "$0.00000001 per million tokens") in describe(plain, "acme", "small")


def test_a_model_without_a_price_is_told_to_be_unpriced_and_how_to_mend_it() -> None:
    rows = dict(describe(None, "acme", "large"))
    assert rows["price"].startswith("unpriced")
    assert "price_provider" in rows["fix"]
