"""The operator's file wins over the book, entry by entry and date by date, and says what is wrong with itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.savings import cost
from pennyworth.decide.tariff import waiting
from pennyworth.errors import ConfigError
from pennyworth.money import Money, Price, Rate, Tier, Usage
from pennyworth.prices.genai import GenaiPrices
from pennyworth.prices.overlay import OverlayPrices
from pennyworth.prices.own_servers import read_own_servers
from pennyworth.prices.reading import Place


class OneBook:
    """A book that knows one model of one company: a real ``PriceBook``, small."""

    PRICE = Price(input=Rate(Decimal("2.50"), (Tier(1000, Decimal(5)),)), output=Rate(Decimal(10)), source="the book")

    def price(self, provider: str, model: str, at_s: float) -> Price | None:
        return self.PRICE if (provider, model) == ("openai", "gpt-4o") else None

    def warnings(self, now_s: float) -> Sequence[str]:
        return ("the book is old",) if now_s > day("2028-01-01") else ()


def day(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOW = day("2026-11-22")


def overlay(tmp_path: Path, text: str) -> OverlayPrices:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    return OverlayPrices(path, OneBook())


def dollars(
    book: OverlayPrices, provider: str, model: str, at_s: float = NOW, usage: Usage | None = None
) -> str | None:
    price = book.price(provider, model, at_s)
    return None if price is None else str(cost(price, usage or Usage(input=1_000_000)))


SMALL = Usage(input=1000)


def test_an_entry_wins_over_the_book_and_what_it_does_not_name_stays(tmp_path: Path) -> None:
    book = overlay(tmp_path, '[[price]]\nprovider = "acme"\nmodel = "large"\ninput = "3"\noutput = 15')
    assert dollars(book, "acme", "large") == "3"
    assert book.price("openai", "gpt-4o", NOW) is OneBook.PRICE
    assert dollars(book, "acme", "small") is None


def test_all_kinds_fees_and_tiers_are_read_exactly(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        [[price]]
        model = "m"
        input = 0.1
        output = "0.4"
        cached = "0.025"
        cache_write = "0.125"
        reasoning = 0.5
        input_audio = "7"
        output_audio = "14"
        per_request = "0.001"
        multiplier = "0.5"
        tiers = [{ above = 200000, input = "0.2" }, { above = 1000, input = "0.15", cached = "0.05" }]
        """,
    )
    assert book.price("any", "m", NOW) == Price(
        input=Rate(Decimal("0.1"), (Tier(1000, Decimal("0.15")), Tier(200000, Decimal("0.2")))),
        output=Rate(Decimal("0.4")),
        cached=Rate(Decimal("0.025"), (Tier(1000, Decimal("0.05")),)),
        cache_write=Rate(Decimal("0.125")),
        reasoning=Rate(Decimal("0.5")),
        input_audio=Rate(Decimal(7)),
        output_audio=Rate(Decimal(14)),
        per_request=Decimal("0.001"),
        multiplier=Decimal("0.5"),
        source="overlay prices.toml",
    )


def test_a_toml_number_is_the_decimal_it_was_written_as(tmp_path: Path) -> None:
    book = overlay(tmp_path, '[[price]]\nmodel = "m"\ninput = 0.1000000000001\noutput = 0')
    assert dollars(book, "any", "m") == "0.1"
    assert dollars(book, "any", "m", usage=Usage(input=10**12)) == "100000.0000001"


def test_a_free_model_is_one_the_operator_calls_free(tmp_path: Path) -> None:
    book = overlay(tmp_path, '[[price]]\nmodel = "*:free"\ninput = "0"\noutput = "0"')
    assert dollars(book, "openrouter", "some:free") == "0"
    assert dollars(book, "openrouter", "some") is None


def test_the_first_pair_of_patterns_that_matches_applies(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        price = [
            { provider = "acme", model = "Large-2", input = 1, output = 1 },
            { provider = "acme", model = "large-*", input = 2, output = 2 },
            { model = "*", input = 3, output = 3 },
        ]
        """,
    )
    assert [
        dollars(book, *name) for name in (("Acme", "large-2"), ("acme", "LARGE-3"), ("acme", "x"), ("openai", "gpt-4o"))
    ] == [
        "1",
        "2",
        "3",
        "3",
    ]


def test_entries_of_one_pair_are_one_price_over_time(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        price = [
            { provider = "openai", model = "gpt-4o", from = 2026-12-01, input = 2, output = 2 },
            { provider = "openai", model = "gpt-4o", from = 2026-10-01T12:00:00Z, input = 1, output = 1 },
        ]
        """,
    )
    noon = day("2026-10-01") + 12 * 3600
    assert dollars(book, "openai", "gpt-4o", noon - 1) == "5", "before the first, the book"
    assert dollars(book, "openai", "gpt-4o", noon) == "1"
    assert dollars(book, "openai", "gpt-4o", day("2026-12-01") - 0.001) == "1"
    assert dollars(book, "openai", "gpt-4o", day("2026-12-01")) == "2"


def test_a_currency_is_converted_at_the_rate_of_the_request_s_day(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        [[currency.CNY]]
        rate = "0.1398"
        as_of = 2026-11-01
        [[currency.CNY]]
        rate = "0.1500"
        as_of = 2026-12-01
        [[price]]
        model = "qwen-max"
        currency = "CNY"
        input = "2.4"
        output = "9.6"
        per_request = "1"
        """,
    )
    fee_and_input = Usage(input=1_000_000)
    assert dollars(book, "qwen", "qwen-max", day("2026-11-15"), fee_and_input) == "0.47532"
    assert dollars(book, "qwen", "qwen-max", day("2026-12-01"), fee_and_input) == "0.51"
    assert dollars(book, "qwen", "qwen-max", day("2025-01-01"), fee_and_input) == "0.47532", (
        "before the first rate, the first"
    )


def test_a_reseller_charges_a_part_of_another_s_price_with_its_tiers(tmp_path: Path) -> None:
    book = overlay(
        tmp_path, '[[price]]\nprovider = "reseller"\nmodel = "gpt-4o"\nlike = "openai/gpt-4o"\nmultiplier = "0.8"'
    )
    assert dollars(book, "reseller", "gpt-4o", usage=SMALL) == "0.002"
    assert dollars(book, "reseller", "gpt-4o") == "4"
    price = book.price("reseller", "gpt-4o", NOW)
    assert price is not None
    assert price.source == "overlay prices.toml: 0.8 × the book"
    assert book.price("reseller", "gpt-4o", NOW + 1) is price


def test_an_entry_may_be_like_the_very_model_it_reprices(tmp_path: Path) -> None:
    book = overlay(tmp_path, '[[price]]\nprovider = "openai"\nmodel = "*"\nlike = "openai/*"\nmultiplier = 0.9')
    assert dollars(book, "openai", "gpt-4o") == "4.5"
    assert dollars(book, "openai", "unknown") is None


def test_likeness_looks_upwards_only_and_multiplies_along_the_way(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        price = [
            { provider = "acme", model = "large", input = 10, output = 10 },
            { provider = "agent", model = "large", like = "acme/large", multiplier = 0.8 },
            { provider = "batch", model = "*", like = "agent/*", multiplier = 0.5 },
            { provider = "above", model = "large", like = "below/large" },
            { provider = "below", model = "large", like = "above/large" },
        ]
        """,
    )
    assert dollars(book, "agent", "large") == "8"
    assert dollars(book, "batch", "large") == "4"
    assert dollars(book, "above", "large") is None
    assert dollars(book, "below", "large") is None


def test_own_servers_cost_their_hours_over_what_they_get_done(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        [[price]]
        provider = "vllm"
        model = "*"
        gpu_hour_usd = "2.00"
        gpus = 4
        input_tokens_per_s = 10000
        output_tokens_per_s = 1000
        utilisation = "0.5"
        cached = "0"
        """,
    )
    # 8 dollars an hour buy 18 million input tokens, or 1.8 million output tokens.
    assert dollars(book, "vllm", "llama", usage=Usage(input=18_000_000)) == "7.999999999992"
    assert dollars(book, "vllm", "llama", usage=Usage(output=1_800_000)) == "7.999999999999"
    assert dollars(book, "vllm", "llama", usage=Usage(input=5000, cached=5000)) == "0"


@given(
    hour=st.integers(1, 10_000),
    gpus=st.integers(1, 64),
    speed=st.integers(1, 10**7),
    percent=st.integers(1, 100),
    hours=st.integers(1, 5),
)
def test_serving_at_the_measured_speed_for_an_hour_costs_the_hour(
    hour: int, gpus: int, speed: int, percent: int, hours: int
) -> None:
    used = Decimal(percent) / 100
    table = {
        "gpu_hour_usd": Decimal(hour) / 100,
        "gpus": gpus,
        "input_tokens_per_s": speed,
        "output_tokens_per_s": speed,
        "utilisation": used,
    }
    price = read_own_servers(Place("prices.toml", table), "", Decimal(1))
    tokens = int(speed * used * 3600 * hours)
    if tokens == speed * used * 3600 * hours:
        paid = Money.usd(Decimal(hour) / 100 * gpus * hours)
        # A rate is rounded to 10⁻¹² dollars per million tokens, so a million tokens may be half a picodollar out.
        assert abs(cost(price, Usage(input=tokens)).pico - paid.pico) <= tokens // 1_000_000 + 1


def test_old_checks_old_rates_the_book_s_own_and_dead_ends_are_warned_of(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        as_of = 2026-11-01
        currency.CNY = { rate = 0.14, as_of = 2026-11-01 }
        currency.EUR = { rate = 1.1, as_of = 2020-01-01 }
        price = [
            { model = "a", currency = "CNY", input = 1, output = 1 },
            { model = "b", like = "openai/gpt-nine" },
        ]
        """,
    )
    assert [warning.split(":")[0] for warning in book.warnings(NOW)] == ["prices.toml"], "only b is priced like nothing"
    late = "\n".join(book.warnings(day("2028-01-02")))
    assert "the book is old" in late
    assert "last checked 427 days ago" in late
    assert "The rate of CNY in prices.toml is 427 days old" in late
    assert "EUR" not in late, "a currency nobody uses ages in peace"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("price = 3", "prices.toml: price: not a list of tables"),
        ('[[price]]\ninput = "1"\noutput = "1"', "[[price]] #1.model: missing"),
        ("[[price]]\nmodel = 7\ninput = 1\noutput = 1", "[[price]] #1.model: 7 is not a text"),
        ('[[price]]\nmodel = "m"\noutput = "1"', "[[price]] #1.input: missing. Give USD per million tokens"),
        ('[[price]]\nmodel = "m"\ninput = "1"', "[[price]] #1.output: missing"),
        (
            '[[price]]\nmodel = "m"\ninput = "cheap"\noutput = 1',
            '[[price]] #1.input: "cheap" is not a number. Write a number',
        ),
        ('[[price]]\nmodel = "m"\ninput = true\noutput = 1', "#1.input: True is not a number"),
        ('[[price]]\nmodel = "m"\ninput = nan\noutput = 1', "#1.input: NaN is not a number"),
        ('[[price]]\nmodel = "m"\ninput = "1e-99999"\noutput = 1', '#1.input: "1e-99999" is not a number'),
        ('[[price]]\nmodel = "m"\ninput = "-1"\noutput = 1', '#1.input: "-1" is below zero'),
        ('[[price]]\nmodel = "m"\ninput = 1\noutput = 1\nmultiplier = 0', "#1.multiplier: 0 is not above zero"),
        ('[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ncahced = 1', '#1.cahced: no such key. Did you mean "cached"?'),
        (
            '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\nfrom = "2026-11-01"',
            '#1.from: "2026-11-01" is not a date. Write a date without quotes',
        ),
        (
            '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ncurrency = "CNY"',
            '#1.currency: "CNY" has no rate. Add [currency.CNY]',
        ),
        ('[[price]]\nmodel = "m"\nlike = "gpt-4o"', '#1.like: "gpt-4o" names no model. Write "openai/gpt-4o"'),
        ('[[price]]\nmodel = "m"\nlike = "openai/gpt-*"', '#1.like: "openai/gpt-*" names no model'),
        ('[[price]]\nmodel = "m"\nlike = "a/b"\ninput = 1', "#1.input: no such key"),
        ('[[price]]\nmodel = "m"\ngpu_hour_usd = 2', "#1.input_tokens_per_s: missing. Give the throughput"),
        (
            '[[price]]\nmodel = "m"\ngpu_hour_usd = 2\ninput_tokens_per_s = 0\noutput_tokens_per_s = 1',
            "#1.input_tokens_per_s: 0 is not above zero",
        ),
        (
            '[[price]]\nmodel = "m"\ngpu_hour_usd = 2\ninput_tokens_per_s = 9\noutput_tokens_per_s = 1\nutilisation = 60',
            "#1.utilisation: 60 is more than all the time",
        ),
        (
            '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ntiers = [{ above = 9, cached = 1 }]',
            "#1.tiers #1.cached: this kind has no rate below",
        ),
        ('[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ntiers = [{ input = 1 }]', "#1.tiers #1.above: missing"),
        (
            '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ntiers = [{ above = 1.5, input = 1 }]',
            "#1.tiers #1.above: 1.5 is no whole number",
        ),
        (
            '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\ntiers = [{ above = 9, input = 1 }, { above = 9, input = 2 }]',
            "#1.tiers: two tiers",
        ),
        (
            'price = [{ model = "m", input = 1, output = 1 }, { model = "M", input = 2, output = 2 }]',
            '[[price]] #2.from: "*/m" is priced from the same moment by prices.toml: [[price]] #1',
        ),
        ("currency = 5", "prices.toml: currency: 5 is not a table"),
        ("[currency.USD]\nrate = 1\nas_of = 2026-01-01", "currency.USD: the dollar is what all others are counted in"),
        ("[currency.CNY]\nrate = 0.14", "currency.CNY.as_of: missing"),
        ("[currency.CNY]\nas_of = 2026-01-01", "currency.CNY.rate: missing"),
        ("currency.CNY = 7", "currency.CNY: 7 is not a table"),
        (
            "currency.CNY = [{ rate = 1, as_of = 2026-01-01 }, { rate = 2, as_of = 2026-01-01 }]",
            "currency.CNY: no rate, or two rates of one day",
        ),
        ("prices = []", 'prices.toml.prices: no such key. Did you mean "price"?'),
        ("[[price]\n", "not TOML"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_fix(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)) as raised:
        overlay(tmp_path, text)
    assert raised.value.fix


def test_a_file_that_is_not_there_names_the_configuration_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^prices\.overlay: .*missing\.toml cannot be read"):
        OverlayPrices(tmp_path / "missing.toml", OneBook())


def waiting_dollars(book: OverlayPrices, provider: str, model: str, usage: Usage) -> str:
    price = book.price(provider, model, NOW)
    assert price is not None
    return str(cost(waiting(price), usage))


def test_a_batch_costs_half_unless_the_entry_says_otherwise_and_like_takes_over_what_it_says(tmp_path: Path) -> None:
    book = overlay(
        tmp_path,
        """
        [[price]]
        model = "usual"
        input = "2"
        output = "0"
        [[price]]
        model = "own"
        input = "2"
        output = "0"
        batch = "0.4"
        [[price]]
        model = "alike"
        like = "any/own"
        multiplier = "2"
        [[price]]
        model = "unlike"
        like = "any/own"
        batch = "1"
        """,
    )
    paid = {
        model: waiting_dollars(book, "any", model, Usage(input=10**6)) for model in ("usual", "own", "alike", "unlike")
    }
    assert paid == {"usual": "1", "own": "0.8", "alike": "1.6", "unlike": "2"}


def test_servers_of_ones_own_have_no_batch_price(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch: no such key"):
        overlay(
            tmp_path,
            """
            [[price]]
            model = "m"
            gpu_hour_usd = "2"
            input_tokens_per_s = 1
            output_tokens_per_s = 1
            batch = "0.5"
            """,
        )


def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "prices.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    path = tmp_path / "prices.toml"
    path.write_text(example[1], "utf-8")
    book = OverlayPrices(path, GenaiPrices())
    whole = Usage(input=100_000, output=10_000)
    assert dollars(book, "openai", "gpt-5", usage=whole) == "0.207"
    assert dollars(book, "acme", "acme-large", usage=whole) == "0.351"
    assert dollars(book, "acme", "acme-large", day("2026-12-01"), whole) == "0.28"
    assert dollars(book, "qwen", "qwen-max-2026", usage=whole) == "0.0469728"
    assert dollars(book, "reseller", "gpt-4o", usage=whole) == "0.28"
    assert dollars(book, "vllm", "llama", usage=whole) == "0.016427718041"
    assert dollars(book, "acme", "acme-small", usage=whole) == "0.028"
    assert waiting_dollars(book, "acme", "acme-small", whole) == "0.0112"
    assert not [warning for warning in book.warnings(NOW) if "prices.toml" in warning]
