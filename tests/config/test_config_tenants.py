"""Keys, teams and everybody: what each may do, as the file says it, and what of that is refused."""

from operator import attrgetter

import pytest

from pennyworth.clients import UNLIMITED, Allowance, Budget
from pennyworth.config import describe, interpret
from pennyworth.errors import ConfigError
from pennyworth.secret import Secret

SECRET = "a-client-key-0123456789"
MODELS = {"own": {"base_url": "http://127.0.0.1:9000/v1", "models": ["gpt-4o", "gpt-4o-mini"]}}


def plan_of(**sections):
    return interpret({"providers": MODELS, **sections}, {"HOOK": "https://hooks.example.com/T0/secret"})


def key_of(**given):
    return plan_of(keys={"alice": {"key": SECRET, **given}}, teams={"search": {}}).keys[0]


KEYS = [
    ({}, attrgetter("scope", "team", "share", "allowance"), ("alice", "", "scope", UNLIMITED)),
    ({"scope": "s", "team": "search"}, attrgetter("scope", "team"), ("s", "search")),
    ({"share": "team", "team": "search"}, attrgetter("share"), "team"),
    ({"share": "conversation"}, attrgetter("share"), "conversation"),
    ({"models": ["gpt-*"]}, attrgetter("allowance.models"), ("gpt-*",)),
    (
        {"budget_month": "1500.50 cny", "budget_day": "20USD"},
        attrgetter("allowance.budgets"),
        (Budget(period="day", amount="20", currency="USD"), Budget(period="month", amount="1500.5", currency="CNY")),
    ),
    ({"budget_day": "0 USD"}, attrgetter("allowance.budgets"), (Budget(period="day", amount="0"),)),
    (
        {"requests_per_minute": 5, "tokens_per_minute": 9},
        attrgetter("allowance"),
        Allowance(requests_per_minute=5, tokens_per_minute=9),
    ),
    ({"at_limit": "cache_only"}, attrgetter("allowance.at_limit"), "cache_only"),
    (
        {"at_limit": "downgrade", "downgrade_to": "gpt-4o-mini"},
        attrgetter("allowance.downgrade_to"),
        "gpt-4o-mini",
    ),
    ({"alert_at": [1, 0.5, 1]}, attrgetter("allowance.alert_at"), (0.5, 1.0)),
    ({"alert_at": []}, attrgetter("allowance.alert_at"), ()),
    ({"pass_through": True}, attrgetter("allowance.pass_through"), True),
    ({"pass_through": False}, attrgetter("allowance.pass_through"), False),
    ({}, attrgetter("allowance.pass_through"), None),
]


@pytest.mark.parametrize(("given", "of", "value"), KEYS)
def test_a_key_says_who_shares_its_answers_and_what_it_may_do(given, of, value):
    assert of(key_of(**given)) == value


def test_teams_and_everybody_have_allowances_of_their_own():
    plan = plan_of(teams={"search": {"requests_per_minute": 7}}, everyone={"budget_day": "5 USD"})
    assert plan.teams[0].name == "search"
    assert plan.teams[0].allowance == Allowance(requests_per_minute=7)
    assert plan.everyone == Allowance(budgets=(Budget(period="day", amount="5"),))


def test_the_webhook_of_alerts_is_a_secret_taken_from_the_environment():
    plan = plan_of(alerts={"webhook_env": "HOOK"})
    assert plan.alert_webhook == Secret("https://hooks.example.com/T0/secret")
    assert "hooks.example.com" not in repr(plan) + repr(describe(plan))


REFUSED = [
    ({"team": "serach"}, "team", "no team named 'serach'", "'search'?"),
    ({"share": "team"}, "share", "it has none", 'share = "key"'),
    ({"share": "everybody"}, "share", "'everybody' is not one of the choices", "'global'"),
    ({"share": "key", "scope": "s"}, "scope", 'no effect while share is "key"', "Remove it"),
    ({"budget_day": 20}, "budget_day", "20 is not an amount of money", '"20 USD"'),
    ({"budget_day": "20"}, "budget_day", "'20' is not an amount of money", '"20 USD"'),
    ({"budget_day": "-1 USD"}, "budget_day", "'-1 USD' is not an amount", '"150 CNY"'),
    ({"budget_month": "9999999999999 USD"}, "budget_month", "is not an amount", "10^12"),
    ({"requests_per_minute": 0}, "requests_per_minute", "0 is not a whole number", "range"),
    ({"at_limit": "downgrade"}, "downgrade_to", "it is missing", "Name the model"),
    ({"downgrade_to": "gpt-4o"}, "downgrade_to", 'no effect while at_limit is "refuse"', "downgrade"),
    (
        {"at_limit": "downgrade", "downgrade_to": "gpt-4o-mni"},
        "downgrade_to",
        "no provider offers a model named 'gpt-4o-mni'",
        "'gpt-4o-mini'?",
    ),
    (
        {"at_limit": "downgrade", "downgrade_to": "gpt-4o-mini", "models": ["gpt-4o"]},
        "downgrade_to",
        "not among the models that may be asked (gpt-4o)",
        "Add it to models",
    ),
    ({"alert_at": [80]}, "alert_at", "is not a list of shares", "[0.8, 1.0]"),
    ({"alert_at": 0.8}, "alert_at", "is not a list of shares", "[0.8, 1.0]"),
    ({"budgetday": "1 USD"}, "budgetday", "no such key", "'budget_day'?"),
]


@pytest.mark.parametrize(("given", "key", "problem", "fix"), REFUSED)
def test_what_a_key_cannot_be_allowed_names_the_value_and_the_fix(given, key, problem, fix):
    with pytest.raises(ConfigError) as caught:
        key_of(**given)
    assert caught.value.key == f"keys.alice.{key}"
    assert problem in caught.value.problem
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("env", "problem"), [({}, "HOOK is not set"), ({"HOOK": "ftp://x"}, "not an http"), ({"HOOK": "secret"}, "not an")]
)
def test_a_webhook_that_cannot_be_posted_to_is_an_error_that_does_not_show_it(env, problem):
    with pytest.raises(ConfigError) as caught:
        interpret({"alerts": {"webhook_env": "HOOK"}}, env)
    assert problem in str(caught.value)
    assert not env or env["HOOK"] not in str(caught.value)


def test_a_gateway_for_virtual_keys_alone_may_listen_beyond_this_machine_if_it_says_that_nobody_else_is_served():
    listen = {"host": "0.0.0.0"}
    assert interpret({"listen": listen, "allow_anonymous": False}, {}).allow_anonymous is False
    with pytest.raises(ConfigError, match="pennyworth keys create"):
        interpret({"listen": listen}, {})


def test_what_keys_may_do_is_described():
    plan = plan_of(
        keys={"alice": {"key": SECRET, "share": "team", "team": "search", "models": ["gpt-4o"], "budget_day": "2 USD"}},
        teams={"search": {"at_limit": "cache_only", "requests_per_minute": 7}},
        everyone={"tokens_per_minute": 9},
    )
    rows = {(row.part, row.name): f"{row.value}: {row.note}" for row in describe(plan)}
    assert rows["key", "alice"] == "shares by team: team search; models gpt-4o; 2 USD a day"
    assert rows["team", "search"] == "7 requests/min; at the limit: kept answers alone: "
    assert rows["everyone", ""] == "9 tokens/min: "
