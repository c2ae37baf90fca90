"""``prices`` says what a model costs, and how we know."""

from .conftest import program


def test_a_known_model_has_a_price_with_its_source_and_a_sample():
    ended = program("prices", "gpt-4o-mini", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["provider"] == "openai"
    assert "genai-prices" in ended.json["price"]["source"]
    assert ended.json["sample"] == {"input": 1000, "output": 500, "cost": {"pico": 450_000_000, "usd": "0.00045"}}


def test_provider_and_model_may_stand_in_one_word_or_two(command):
    one = command("prices", "openai/gpt-4o", "--json").json
    two = command("prices", "gpt-4o", "--provider", "openai", "--json").json
    assert one == two
    assert one["price"]


def test_the_price_of_the_configuration_comes_first(command, tmp_path):
    (tmp_path / "p.toml").write_text(
        '[providers.own]\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[models.gpt-4o]\nprovider = "own"\nprice = { input = "1", output = "2" }\n'
    )
    ended = command("prices", "gpt-4o", "--config", "p.toml", "--input", "1000000", "--output", "1000000", "--json")
    assert ended.json["provider"] == "own"
    assert ended.json["sample"]["cost"]["usd"] == "3"


def test_a_model_without_a_price_ends_with_3_and_says_what_follows(command):
    ended = command("prices", "no-such-model-anywhere")
    assert ended.code == 3
    assert "unpriced" in ended.out
    assert "docs/prices.md" in ended.out


def test_people_see_a_table_with_the_cost_of_an_example(command):
    ended = command("prices", "gpt-4o-mini")
    assert "1,000 tokens in, 500 out: $0.00045" in ended.out
