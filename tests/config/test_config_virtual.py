"""A virtual key as it is asked for: by the names and rules of the configuration."""

import pytest

from pennyworth.clients import UNLIMITED, Allowance, Budget
from pennyworth.config import interpret
from pennyworth.config.schema_tenants import KEY
from pennyworth.config.virtual import VIRTUAL_KEY, taken, wanted
from pennyworth.decide.keys import Wanted
from pennyworth.errors import ConfigError

PLAN = interpret(
    {
        "providers": {"own": {"base_url": "http://127.0.0.1:9000/v1", "models": ["small"]}},
        "teams": {"search": {}},
        "keys": {"app": {"key": "a-client-key-0123456789"}},
    },
    {},
)


@pytest.mark.parametrize(
    ("table", "made"),
    [
        ({"name": "a"}, Wanted(name="a", scope="a", share="key", allowance=UNLIMITED)),
        ({"name": "a", "scope": "s"}, Wanted(name="a", scope="s", share="scope")),
        ({"name": "a", "share": "scope"}, Wanted(name="a", scope="a", share="scope")),
        ({"name": "a", "team": "search", "share": "team"}, Wanted(name="a", scope="a", team="search", share="team")),
        ({"name": "a", "expires": "30d"}, Wanted(name="a", scope="a", lives_s=30 * 86400.0)),
        (
            {"name": "a", "models": ["small"], "budget_day": "2.50 EUR", "requests_per_minute": 5},
            Wanted(
                name="a",
                scope="a",
                allowance=Allowance(
                    models=("small",),
                    budgets=(Budget(period="day", amount="2.5", currency="EUR"),),
                    requests_per_minute=5,
                ),
            ),
        ),
    ],
)
def test_what_is_asked_for_is_read_as_in_the_configuration(table, made):
    assert wanted(table, PLAN) == made


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ({}, "name", "it is missing"),
        ({"name": "a b"}, "name", "'a b' is not a name"),
        ({"name": "key:a"}, "name", "is not a name"),
        ({"name": "a", "team": "serach"}, "team", "Did you mean 'search'?"),
        ({"name": "a", "share": "team"}, "share", "it has none"),
        ({"name": "a", "scope": "s", "share": "key"}, "scope", 'no effect while share is "key"'),
        ({"name": "a", "expires": 0}, "expires", "no time at all"),
        ({"name": "a", "at_limit": "downgrade", "downgrade_to": "smal"}, "downgrade_to", "Did you mean 'small'?"),
        ({"name": "a", "secret": "pw-mine"}, "secret", "no such key"),
        ({"name": "a", "seal": "00"}, "seal", "no such key"),
    ],
)
def test_what_cannot_be_made_names_the_field_and_the_fix(table, key, words):
    with pytest.raises(ConfigError) as refused:
        wanted(table, PLAN)
    assert refused.value.key == key
    assert words in str(refused.value)


def test_names_of_the_configuration_are_taken():
    assert taken(PLAN) == {"app", "environment"}


def test_a_virtual_key_takes_what_a_configured_one_takes_but_for_its_secret():
    ours = {field.key for field in VIRTUAL_KEY.fields}
    assert {field.key for field in KEY.fields} - ours == {"env", "key"}
    assert ours - {field.key for field in KEY.fields} == {"name", "expires"}
