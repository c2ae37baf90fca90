"""The published book says what the genai-prices library itself would charge, or admits that it cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import data
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

from pennyworth.decide.savings import cost
from pennyworth.money import Money, Price, Rate, Tier, Usage
from pennyworth.prices.genai import GenaiPrices

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC).timestamp()
DAY_S = 86400

USAGES = (
    Usage(input=1, output=1),
    Usage(input=1234, output=567, cached=1024),
    Usage(input=90_001, output=7, cached=8, cache_write=4096),
    Usage(input=260_000, output=12_345, cached=130_001, cache_write=11, reasoning=9_999),
    Usage(input=1_100_000, output=3, reasoning=3),
)


@pytest.fixture(scope="module")
def book() -> GenaiPrices:
    return GenaiPrices()


def models(every: int) -> Iterator[tuple[str, str]]:
    names = [(provider.id, model.id) for provider in data.providers for model in provider.models]
    return iter(names[::every])


def library_price(provider: str, model: str, usage: Usage, at_s: float) -> Money:
    calculated = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            cache_write_1h_tokens=usage.cache_write_1h,
            output_reasoning_tokens=usage.reasoning,
            input_audio_tokens=usage.input_audio,
            output_audio_tokens=usage.output_audio,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at_s, UTC),
    )
    return Money.usd(calculated.total_price)


def test_every_ninth_model_costs_to_the_picodollar_what_the_library_says(book: GenaiPrices) -> None:
    compared = 0
    for provider, model in models(every=9):
        price = book.price(provider, model, NOW)
        if price is None:
            continue
        for usage in USAGES:
            compared += 1
            assert cost(price, usage) == library_price(provider, model, usage, NOW), (provider, model, usage)
    assert compared > 1000


def test_cache_writes_for_an_hour_cost_what_the_library_says_or_twice_the_input(book: GenaiPrices) -> None:
    usage = Usage(input=50_000, output=7, cached=8, cache_write=4096, cache_write_1h=96)
    published = 0
    for provider, model in models(every=9):
        price = book.price(provider, model, NOW)
        if price is not None and price.cache_write_1h is not None:
            published += 1
            assert cost(price, usage) == library_price(provider, model, usage, NOW), (provider, model)
    assert published > 3
    price = Price(input=Rate(Decimal("0.3")), output=Rate(Decimal(1)), cache_write=Rate(Decimal("0.375")))
    assert cost(price, Usage(input=10, cache_write=10, cache_write_1h=4)) == Money(6 * 375_000 + 4 * 600_000)


@pytest.mark.parametrize("days", [-700, -400, -200, -60, -30, 10, 45])
def test_at_other_dates_too(book: GenaiPrices, days: int) -> None:
    at_s = NOW + days * DAY_S
    for provider, model in models(every=61):
        price = book.price(provider, model, at_s)
        if price is not None:
            assert cost(price, USAGES[3]) == library_price(provider, model, USAGES[3], at_s), (provider, model)


@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-v4-flash", "deepseek-v4-pro"])
@pytest.mark.parametrize("day", ["2025-06-01", "2026-11-20", "2026-12-02"])
def test_prices_that_change_with_the_hour_change_at_the_minute(book: GenaiPrices, model: str, day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    for minute in range(0, 1440, 30):
        for at_s in (midnight + minute * 60 - 0.5, midnight + minute * 60):
            price = book.price("deepseek", model, at_s)
            assert price is not None
            assert cost(price, USAGES[1]) == library_price("deepseek", model, USAGES[1], at_s), (minute, at_s)


def test_the_hour_does_matter_for_one_of_them(book: GenaiPrices) -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    night, peak = (book.price("deepseek", "deepseek-v4-flash", midnight + hour * 3600) for hour in (0, 2))
    assert night is not None
    assert peak is not None
    assert peak.output.usd_per_million == 2 * night.output.usd_per_million


def test_audio_tokens_have_their_own_rates(book: GenaiPrices) -> None:
    usage = Usage(input=1000, output=500, input_audio=700, output_audio=200)
    price = book.price("openai", "gpt-audio", NOW)
    assert price is not None
    assert cost(price, usage) == library_price("openai", "gpt-audio", usage, NOW)


def test_a_fee_per_request_is_charged_once_a_call(book: GenaiPrices) -> None:
    price = book.price("perplexity", "sonar-pro", NOW)
    assert price is not None
    assert price.per_request == Decimal("0.014")
    assert cost(price, Usage(input=10, output=10)) == library_price(
        "perplexity", "sonar-pro", Usage(input=10, output=10), NOW
    )


@pytest.mark.parametrize(
    ("provider", "model", "like"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("OpenAI", "GPT-4o-mini", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
    ],
)
def test_aliases_and_dated_snapshots_cost_what_their_model_costs(
    book: GenaiPrices, provider: str, model: str, like: str
) -> None:
    assert book.price(provider, model, NOW) == book.price(provider.lower(), like, NOW)


def test_a_fine_tuned_model_does_not_cost_what_its_base_does(book: GenaiPrices) -> None:
    tuned = book.price("openai", "ft:gpt-4o-mini-2024-07-18:acme::a1b2", NOW)
    base = book.price("openai", "gpt-4o-mini", NOW)
    assert tuned is not None
    assert base is not None
    assert tuned.input.usd_per_million == 2 * base.input.usd_per_million


@pytest.mark.parametrize(
    ("provider", "model", "why"),
    [
        ("openai", "no-such-model", "unknown model"),
        ("no-such-company", "gpt-4o", "unknown company"),
        ("", "gpt-4o", "no company"),
        ("openai", "gpt-4o" + "-x" * 1000, "a name no model has"),
        ("openai", "whisper-1", "charged by the hour"),
        ("openai", "tts-1", "charged by the character"),
        ("mistral", "mistral-ocr-2505", "charged by the page"),
        ("google", "gemini-2.5-flash-image", "its images are not told apart in the token count"),
        ("openrouter", "deepseek/deepseek-r1:free", "listed without any rate"),
    ],
)
def test_what_cannot_be_charged_by_the_token_is_unpriced_never_free(
    book: GenaiPrices, provider: str, model: str, why: str
) -> None:
    assert book.price(provider, model, NOW) is None, why


def test_unpriced_is_only_what_the_library_does_not_know_or_counts_in_other_units(book: GenaiPrices) -> None:
    for provider, model in models(every=1):
        if book.price(provider, model, NOW) is None:
            try:
                known = library_price(provider, model, Usage(input=1000), NOW)
                image = library_price(provider, model, Usage(output=1000), NOW)
            except LookupError:
                continue
            assert not known or "image" in model or "omni" in model or "banana" in model, (
                provider,
                model,
                known,
                image,
            )


def test_embeddings_have_a_price_for_input_alone(book: GenaiPrices) -> None:
    price = book.price("openai", "text-embedding-3-small", NOW)
    assert price is not None
    assert cost(price, Usage(input=1_000_000)) == Money.usd("0.02")


def test_what_the_provider_charges_besides_is_named(book: GenaiPrices) -> None:
    price = book.price("anthropic", "claude-sonnet-4-5", NOW)
    assert price is not None
    assert "web searches" in price.omits
    assert price.cache_write_1h == Rate(Decimal(6), (Tier(200_000, Decimal(12)),))
    assert "other rates by processing (batch)" in price.omits


def test_long_prompts_are_charged_by_tier(book: GenaiPrices) -> None:
    price = book.price("google", "gemini-2.5-pro", NOW)
    assert price is not None
    assert price.input == Rate(Decimal("1.25"), (Tier(200_000, Decimal("2.5")),))


def test_the_source_names_the_book_its_date_and_the_entry(book: GenaiPrices) -> None:
    price = book.price("openai", "gpt-4o-2024-08-06", NOW)
    assert price is not None
    assert price.source.startswith("genai-prices ")
    assert price.source.endswith(": openai gpt-4o")


def test_other_sellers_of_a_model_are_found(book: GenaiPrices) -> None:
    offers = dict(book.everywhere("gpt-4o", NOW))
    assert {"openai", "azure"} <= offers.keys()
    assert offers["openai"] == book.price("openai", "gpt-4o", NOW)


def test_a_flood_of_invented_names_changes_no_answer(book: GenaiPrices) -> None:
    before = book.price("openai", "gpt-4o", NOW)
    for number in range(5000):
        book.price("voyageai", f"invented-{number}", NOW)
    assert book.price("openai", "gpt-4o", NOW) == before
    assert book.price("voyageai", "invented-7", NOW) is None


def test_a_snapshot_the_application_gave_the_library_is_not_ours() -> None:
    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert GenaiPrices().price("openai", "gpt-4o", NOW) is not None
    finally:
        set_custom_snapshot(None)


def test_a_book_that_learnt_of_no_change_for_long_warns_and_says_what_to_do() -> None:
    book = GenaiPrices(stale_after_days=60)
    (warning,) = book.warnings(NOW + 1000 * DAY_S)
    assert "genai-prices" in warning
    assert "days ago" in warning
    assert book.warnings(0.0) == ()


def test_an_applied_price_is_the_same_object_each_time(book: GenaiPrices) -> None:
    first: Price | None = book.price("openai", "gpt-4o", NOW)
    assert first is not None
    assert book.price("openai", "gpt-4o", NOW + 60) is first
