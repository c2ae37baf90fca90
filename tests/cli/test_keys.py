"""``pennyworth keys`` on a state directory, with and without a configuration."""

import re
import time

import pytest

SECRET = re.compile(r"pw-[A-Za-z0-9_-]{43}")
CONFIGURATION = """
[providers.own]
base_url = "http://127.0.0.1:9/v1"
models = ["small", "large"]
[teams.search]
models = ["small"]
[keys.app]
key = "a-configured-client-key"
"""


@pytest.fixture
def keys(command):
    def call(*argv):
        return command("keys", *argv)

    return call


def test_the_secret_alone_goes_to_standard_output(keys):
    made = keys("create", "alice")
    assert (made.code, bool(SECRET.fullmatch(made.out.strip()))) == (0, True)
    assert "shown this once" in made.err
    assert "this is the first key: from now on callers need one" in made.err
    assert "first key" not in keys("create", "bob").err


def test_who_forwards_callers_keys_is_told_that_this_ends(keys, tmp_path):
    text = '[providers.own]\nbase_url = "http://127.0.0.1:9/v1"\nforward_caller = true\n'
    (tmp_path / "forwarding.toml").write_text(text)
    assert "forward_caller is over" in keys("create", "alice", "--config", "forwarding.toml").err


def test_a_key_is_listed_with_what_it_may_do_and_without_its_secret(keys):
    secret = keys("create", "alice", "--budget-day", "20 USD", "--models", "gpt-4o", "--models", "qwen*").out.strip()
    listed = keys("list")
    assert secret not in listed.out
    for shown in ("alice", "in force", "nobody", "models gpt-4o, qwen*; 20 USD a day", f"…{secret[-4:]}"):
        assert shown in listed.out
    (row,) = keys("list", "--json").json["keys"]
    assert (row["name"], row["models"], row["budget_day"]) == ("alice", ["gpt-4o", "qwen*"], "20 USD")


def test_every_option_reaches_the_key(keys, tmp_path):
    (tmp_path / "p.toml").write_text(CONFIGURATION)
    options = {
        "--team": "search",
        "--share": "user",
        "--models": "small",
        "--expires": "30d",
        "--budget-day": "2 USD",
        "--budget-month": "9 CNY",
        "--requests-per-minute": 5,
        "--tokens-per-minute": 7,
        "--at-limit": "downgrade",
        "--downgrade-to": "small",
        "--alert-at": 0.5,
    }
    given = [part for pair in options.items() for part in pair]
    made = keys("create", "alice", *given, "--pass-through", "--config", "p.toml", "--json")
    assert made.code == 0, made.err
    told = {name: value for name, value in made.json.items() if name not in ("secret", "ends_in", "created", "expires")}
    assert told == {
        "name": "alice",
        "state": "in force",
        "share": "user",
        "scope": None,
        "team": "search",
        "models": ["small"],
        "budget_day": "2 USD",
        "budget_month": "9 CNY",
        "requests_per_minute": 5,
        "tokens_per_minute": 7,
        "at_limit": "downgrade",
        "downgrade_to": "small",
        "alert_at": [0.5],
        "pass_through": True,
        "revoked": None,
        "former_secret_until": None,
        "version": 1,
    }
    assert made.json["expires"] > made.json["created"]


def test_a_budget_in_a_currency_without_a_rate_is_warned_of(keys, tmp_path):
    assert "no rate of CNY is configured here" in keys("create", "alice", "--budget-day", "9 CNY").err
    (tmp_path / "rates.toml").write_text('[currency.CNY]\nrate = "0.1398"\nas_of = 2026-11-01\n')
    (tmp_path / "p.toml").write_text(
        '[providers.openai]\nkey = "sk-test-000000000001"\n[prices]\noverlay = "rates.toml"\n'
    )
    told = keys("create", "bob", "--budget-day", "9 CNY", "--config", "p.toml")
    assert (told.code, "no rate" in told.err) == (0, False), told.err


def test_a_key_is_rotated_and_revoked(keys):
    first = keys("create", "alice").out.strip()
    rotated = keys("rotate", "alice", "--grace", "24h")
    assert SECRET.fullmatch(rotated.out.strip())
    assert rotated.out.strip() != first
    assert "The old secret holds for 1d more." in rotated.err
    assert "the former secret until" in " ".join(keys("list").out.split())
    assert "is over within a second" in keys("rotate", "alice").err
    assert "The key alice is revoked." in keys("revoke", "alice").out
    assert "revoked" in keys("list").out
    again = keys("rotate", "alice")
    assert (again.code, again.out) == (1, "")
    assert "was revoked. Make a new one under another name" in again.err


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("create", "a b"), 2, "NAME: 'a b' is not a name. No key was made."),
        (("create", "alice"), 1, "The key 'alice' exists"),
        (("create", "environment"), 1, "a key of the configuration"),
        (("create", "x", "--budget-day", "20"), 2, "--budget-day: '20' is not an amount of money. No key was made."),
        (("create", "x", "--share", "team"), 2, "--share: "),
        (("create", "x", "--team", "search"), 2, "--team: there is no team named 'search'"),
        (("create", "x", "--team", "search"), 2, "by --config, or by PENNYWORTH_CONFIG"),
        (("create", "x", "--expires", "soon"), 2, "--expires: 'soon' is not a duration"),
        (("rotate", "alice", "--grace", "long"), 2, "--grace: 'long' is not a duration"),
        (("rotate", "nobody"), 3, "no virtual key named 'nobody'"),
        (("revoke", "nobody"), 3, "no virtual key named 'nobody'"),
        (("crate", "x"), 2, "create"),
        (("create",), 2, "NAME"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_what_to_do(keys, argv, code, words):
    keys("create", "alice")
    before = keys("list", "--json").json
    ended = keys(*argv)
    assert (ended.code, ended.out) == (code, "")
    assert words in " ".join(ended.err.split())
    assert keys("list", "--json").json == before


def test_names_and_teams_of_the_configuration_are_known(keys, tmp_path):
    (tmp_path / "p.toml").write_text(CONFIGURATION)
    assert "a key of the configuration" in keys("create", "app", "--config", "p.toml").err
    assert "Did you mean 'search'?" in keys("create", "x", "--team", "serach", "--config", "p.toml").err
    assert keys("create", "x", "--team", "search", "--share", "team", "--config", "p.toml").code == 0


@pytest.mark.parametrize("argv", [("list",), ("rotate", "x"), ("revoke", "x")])
def test_looking_for_keys_makes_none(keys, tmp_path, argv):
    ended = keys(*argv, "--state-dir", str(tmp_path / "elsewhere"))
    assert ended.code == 3
    assert "There are no virtual keys" in ended.err
    assert not (tmp_path / "elsewhere").exists()


def test_keys_in_memory_are_beyond_the_command_line(keys):
    ended = keys("create", "x", "--state-dir", ":memory:")
    assert ended.code == 2
    assert "POST /api/v1/keys" in ended.err


def test_a_key_that_expired_is_listed_so(keys):
    keys("create", "brief", "--expires", "1ms")
    time.sleep(0.005)
    assert "expired" in keys("list").out
