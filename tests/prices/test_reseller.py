"""A reseller charges by other companies' lists, a factor, a currency, and the day; its receipts say by which."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.savings import cost
from pennyworth.errors import ConfigError
from pennyworth.money import PICO, Price, Rate, Tier, Usage
from pennyworth.prices.overlay import OverlayPrices
from pennyworth.prices.reseller import read_resellers

LISTS = {
    ("openai", "gpt-4o"): Price(
        input=Rate(Decimal("2.50"), (Tier(1000, Decimal(5)),)), output=Rate(Decimal(10)), source="the openai list"
    ),
    ("anthropic", "claude-x"): Price(input=Rate(Decimal(3)), output=Rate(Decimal(15)), source="the anthropic list"),
}


class Lists:
    def price(self, provider: str, model: str, at_s: float) -> Price | None:
        return LISTS.get((provider, model))

    def warnings(self, now_s: float) -> list[str]:
        return []


def day(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOW = day("2026-11-22")
CNY = '[[currency.CNY]]\nrate = "0.1398"\nas_of = 2026-11-01\n[[currency.CNY]]\nrate = "0.14"\nas_of = 2026-11-20\n'
RELAY = '[reseller.relay]\nsells = ["openai", "anthropic"]\nfactor = "0.8"\n'
MILLION = Usage(output=1_000_000)


def overlay(tmp_path: Path, text: str) -> OverlayPrices:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    return OverlayPrices(path, Lists())


def dollars(book: OverlayPrices, model: str, at_s: float = NOW, provider: str = "relay") -> str | None:
    price = book.price(provider, model, at_s)
    return None if price is None else str(cost(price, MILLION))


def test_everything_it_sells_is_priced_by_the_first_of_its_companies_that_lists_it(tmp_path: Path) -> None:
    book = overlay(tmp_path, RELAY)
    assert dollars(book, "gpt-4o") == "8"
    assert dollars(book, "claude-x") == "12"
    assert dollars(book, "openai/gpt-4o") == "8", "many resellers put the company before the name"
    assert dollars(book, "anthropic/gpt-4o") is None
    assert dollars(book, "unheard-of") is None, "unpriced, never free"
    assert dollars(book, "gpt-4o", provider="openai") == "10"
    assert dollars(book, "gpt-4o", provider="Relay") == "8"


def test_a_dollar_of_the_list_costs_so_much_of_a_currency_at_the_rate_of_the_day(tmp_path: Path) -> None:
    book = overlay(tmp_path, CNY + '[reseller.relay]\nsells = "openai"\nfactor = "1"\ncurrency = "CNY"\n')
    assert dollars(book, "gpt-4o", day("2026-11-10")) == "1.398"
    assert dollars(book, "gpt-4o", NOW) == "1.4"


def test_its_terms_change_on_their_day_and_hold_from_the_first_one_on(tmp_path: Path) -> None:
    text = "".join(
        f'[[reseller.relay]]\nsells = "openai"\nfactor = "{factor}"\nfrom = {since}\n'
        for factor, since in (("0.5", "2026-12-01"), ("0.8", "2026-11-01"))
    )
    book = overlay(tmp_path, text)
    assert dollars(book, "gpt-4o", day("2026-10-31")) is None
    assert dollars(book, "gpt-4o", day("2026-11-01")) == "8"
    assert dollars(book, "gpt-4o", day("2026-12-01")) == "5"


def test_a_price_of_its_own_goes_before_the_list_and_the_list_may_be_the_operators(tmp_path: Path) -> None:
    own = '[[price]]\nprovider = "relay"\nmodel = "gpt-4o"\ninput = "1"\noutput = "7"\n'
    mended = '[[price]]\nprovider = "anthropic"\nmodel = "claude-x"\ninput = "3"\noutput = "20"\n'
    book = overlay(tmp_path, own + mended + RELAY)
    assert (dollars(book, "gpt-4o"), dollars(book, "claude-x")) == ("7", "16")


def test_the_source_names_the_reseller_its_terms_and_the_list(tmp_path: Path) -> None:
    plain = overlay(tmp_path, RELAY).price("relay", "gpt-4o", NOW)
    assert plain is not None
    assert plain.source == "overlay prices.toml: reseller relay: 0.8 × the openai list"
    text = CNY + '[reseller.relay]\nsells = "openai"\nfactor = "7.3"\ncurrency = "CNY"\n'
    abroad = overlay(tmp_path, text).price("relay", "gpt-4o", NOW)
    assert abroad is not None
    assert abroad.source == "overlay prices.toml: reseller relay: 7.3 CNY (at 0.14 USD) a dollar of the openai list"


def test_a_price_is_the_same_object_until_it_changes(tmp_path: Path) -> None:
    book = overlay(tmp_path, CNY + '[reseller.relay]\nsells = "openai"\nfactor = "1"\ncurrency = "CNY"\n')
    assert book.price("relay", "gpt-4o", NOW) is book.price("relay", "gpt-4o", NOW + 1)
    assert book.price("relay", "gpt-4o", day("2026-11-10")) is not book.price("relay", "gpt-4o", NOW)


@given(
    st.decimals("0.01", "20", places=2),
    st.decimals("0.001", "2", places=4),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
)
def test_what_it_charges_is_the_list_price_times_the_factor_times_the_rate(
    factor: Decimal, rate: Decimal, asked: int, made: int
) -> None:
    currency = f'[currency.CNY]\nrate = "{rate}"\nas_of = 2026-11-01\n'
    with tempfile.TemporaryDirectory() as place:
        book = overlay(Path(place), currency + _terms(factor))
    usage = Usage(input=asked, output=made)
    price, listed = book.price("relay", "gpt-4o", NOW), LISTS["openai", "gpt-4o"]
    assert price is not None
    exact = Decimal(cost(listed, usage).pico) * factor * rate
    assert abs(cost(price, usage).pico - exact) <= Decimal("0.5"), f"{exact} of {PICO}"


def _terms(factor: Decimal) -> str:
    return f'[reseller.relay]\nsells = "openai"\nfactor = "{factor}"\ncurrency = "CNY"\n'


WRONG = [
    ("[reseller]\nrelay = 1", "reseller.relay: not a table"),
    ("[[reseller]]\nsells = 1", "is not a table"),
    ('[reseller.relay]\nfactor = "1"', "reseller.relay.sells: not a company"),
    ('[reseller.relay]\nsells = ["openai/*"]\nfactor = "1"', "a company is named here, not a model"),
    ('[reseller.relay]\nsells = "openai"', "reseller.relay.factor: missing"),
    ('[reseller.relay]\nsells = "openai"\nfactor = "0"', "is not above zero"),
    ('[reseller.relay]\nsells = "openai"\nfactor = "1"\ncurrency = "CNY"', '"CNY" has no rate'),
    ('[reseller.relay]\nsells = "openai"\nfaktor = "1"', 'Did you mean "factor"?'),
    ('[[reseller.relay]]\nsells = "openai"\nfactor = "1"\n' * 2, "two terms from the same moment"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_terms_that_cannot_be_used_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overlay(tmp_path, text)
    assert says in str(caught.value)


def test_the_worked_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    terms = '[reseller.relay]\nsells = ["openai", "anthropic"]\nfactor = "7.30"\ncurrency = "CNY"\n'
    price = overlay(tmp_path, CNY + terms).price("relay", "gpt-4o", day("2026-11-10"))
    assert price is not None
    assert str(cost(price, Usage(input=1000, output=500))) == "0.00765405"
    assert str(cost(price, Usage(input=1_000_000))) == "5.1027", "above this list's own tier"
    guide = (Path(__file__).parents[2] / "docs" / "prices.md").read_text("utf-8")
    assert "= $0.00765405" in guide
    assert price.source.removesuffix("the openai list") in guide


def test_an_old_rate_of_a_resellers_currency_warns(tmp_path: Path) -> None:
    book = overlay(tmp_path, CNY + '[reseller.relay]\nsells = "openai"\nfactor = "1"\ncurrency = "CNY"\n')
    assert book.warnings(NOW) == ()
    assert "The rate of CNY in prices.toml is 100 days old" in book.warnings(day("2027-02-28"))[0]


def test_no_resellers_are_none() -> None:
    assert read_resellers("f", {}, {}) == {}
