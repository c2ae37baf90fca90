"""What ``check`` finds in a configuration that loads, and what ``describe`` says of it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.config import check, describe, load
from pennyworth.config.check_lifetimes import matches_nothing
from pennyworth.config.check_reach import overlap
from pennyworth.decide import glob


@pytest.fixture
def checked(tmp_path):
    def findings_of(text: str, *severities: str, mode: int = 0o600, **env: str):
        path = tmp_path / "pennyworth.toml"
        path.write_text(f'state_dir = "{tmp_path}/state"\n' + text, encoding="utf-8")
        path.chmod(mode)
        found = check(load(str(path), env), env, str(path))
        return [finding for finding in found if finding.severity in (severities or ("error", "warning"))]

    return findings_of


OWN = '[providers.own]\nbase_url = "https://gpu.example.com/v1"\nkey_env = "OWN_KEY"\n'
KEYED = {"OWN_KEY": "a-key-of-the-provider"}


def test_a_sound_configuration_is_told_what_is_in_order(checked, tmp_path):
    assert checked(OWN, **KEYED) == []
    messages = [finding.message for finding in checked(OWN, "ok", **KEYED)]
    assert "has a key (OWN_KEY from providers.own.key_env)" in messages
    assert f"'{tmp_path}/state' will be made" in messages
    assert "callers without a key are served, on 127.0.0.1 only, until 'pennyworth keys create' makes one" in messages


def two(first: str, second: str) -> str:
    return f'[providers.a]\nbase_url = "https://a/v1"\nkey_env = "OWN_KEY"\nmodels = {first}\n' + (
        f'[providers.b]\nbase_url = "https://b/v1"\nkey_env = "OWN_KEY"\nmodels = {second}\n'
    )


def routes(*models: str) -> str:
    return OWN + "".join(f'[[routes]]\nname = "r{at}"\nmodels = {patterns}\n' for at, patterns in enumerate(models))


FINDINGS = [
    (OWN, {}, "error", "providers.own.key_env", "OWN_KEY is not set", "Set OWN_KEY"),
    ("[providers.openai]", {}, "error", "providers.openai.key_env", "OPENAI_API_KEY is not set", "Set OPENAI_API_KEY"),
    (
        '[providers.a]\nbase_url = "https://a/v1"',
        {},
        "warning",
        "providers.a.key_env",
        "no key is configured",
        "key_env",
    ),
    (OWN.replace("https", "http"), KEYED, "warning", "providers.own.base_url", "not encrypted", "https"),
    (OWN.replace("/v1", ""), KEYED, "warning", "providers.own.base_url", "has no path", "example.com/v1"),
    (
        OWN,
        KEYED | {"PENNYWORTH_KEY": KEYED["OWN_KEY"]},
        "error",
        "keys.environment",
        "the provider 'own'",
        "of your own",
    ),
    (
        OWN,
        KEYED | {"PENNYWORTH_ADMIN_KEY": KEYED["OWN_KEY"]},
        "error",
        "admin.key",
        "the provider 'own'",
        "of your own",
    ),
    (
        OWN + '[keys.a]\nenv = "K"\n[admin]\nkey_env = "K"',
        KEYED | {"K": "one-key-for-both-of-them"},
        "error",
        "keys.a",
        "the admin key as well",
        "two different keys",
    ),
    (OWN, KEYED | {"PENNYWORTH_KEY": "short"}, "warning", "keys.environment", "shorter than 16", "longer"),
    (
        '[providers.own]\nbase_url = "https://h/v1"\nforward_caller = true\n',
        {"PENNYWORTH_KEY": "a-client-key-of-length"},
        "error",
        "providers.own.forward_caller",
        "none of their own to forward",
        "Give the provider a key",
    ),
    (
        two('["*"]', '["gpt-*"]'),
        KEYED,
        "warning",
        "providers.b.models",
        "takes all of gpt-*; only b/MODEL",
        "Put it first",
    ),
    (two('["gpt-*"]', '["gpt-4*", "x"]'), KEYED, "warning", "providers.b.models", "takes gpt-4*", "Remove what never"),
    (
        routes('["*"]', '["gpt-*"]'),
        KEYED,
        "warning",
        "routes[1].models",
        "the route is never used",
        "narrower route first",
    ),
    (routes('["gpt-*"]', '["gpt-4", "x"]'), KEYED, "warning", "routes[1].models", "part of it is never used", "first"),
    (
        routes('["gpt-*"]', '["*-mini"]'),
        KEYED,
        "warning",
        "routes[1].models",
        "*-mini and gpt-* of the route 'r0'",
        "meant",
    ),
    (
        OWN + 'models = ["a"]\n[models.b]\nrevision = "1"',
        KEYED,
        "warning",
        "models.b",
        "no provider is asked for it",
        "pattern that matches",
    ),
    (
        OWN + "[lifetimes.a]\nttl = 1\npatterns = ['[^\\x00-\\x{10FFFF}]']",
        KEYED,
        "warning",
        "lifetimes.a.patterns",
        "can match no question",
        "Mend",
    ),
    (OWN + "[lifetimes.a]\nttl = 1", KEYED, "warning", "lifetimes.a.patterns", "has no patterns", "default_lifetime"),
    (
        OWN + "[lifetimes.code]\nmax = '60d'",
        KEYED,
        "warning",
        "lifetimes.code.max",
        "60d is longer than",
        "Raise the cap",
    ),
    (OWN + '[prices]\noverlay = "/nowhere.toml"', KEYED, "error", "prices.overlay", "cannot be read", "that exists"),
    (
        'allow_anonymous = true\n[listen]\nhost = "0.0.0.0"\n' + OWN,
        KEYED,
        "warning",
        "allow_anonymous",
        "anybody",
        "keys",
    ),
    (
        "allow_anonymous = true\n" + OWN,
        KEYED | {"PENNYWORTH_KEY": "a-client-key-of-length"},
        "warning",
        "allow_anonymous",
        "no effect while there are client keys",
        "Remove it",
    ),
    ("allow_anonymous = false\n" + OWN, KEYED, "warning", "allow_anonymous", "nobody is served", "client key"),
    ("enabled = false\n" + OWN, KEYED, "warning", "enabled", "a plain proxy", "enabled = true"),
    ("", {}, "warning", "providers", "the sandbox will answer", "OPENAI_API_KEY"),
    (
        OWN + '[switches]\nsemantic = "on"',
        KEYED,
        "warning",
        "switches.semantic",
        "nothing in this version",
        "Leave it out",
    ),
    (
        OWN + '[cache]\nmax_bytes = "1MB"\nl1_bytes = "1kB"',
        KEYED,
        "warning",
        "cache.max_answer_bytes",
        "more than",
        "Raise",
    ),
    (
        OWN,
        KEYED | {"PENNYWORTH_ENABLE": "0"},
        "warning",
        "PENNYWORTH_ENABLE",
        "no such variable",
        "PENNYWORTH_ENABLED?",
    ),
    (
        OWN,
        KEYED | {"OPENAI_BASE_URL": "http://x"},
        "warning",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY is not set",
        "unset it",
    ),
    (OWN, KEYED | {"AZURE_OPENAI_API_KEY": "k"}, "warning", "AZURE_OPENAI_API_KEY", "ENDPOINT is not set", "unset it"),
]


@pytest.mark.parametrize(("text", "env", "severity", "key", "message", "fix"), FINDINGS)
def test_what_is_wrong_or_odd_is_found(checked, text, env, severity, key, message, fix):
    (finding,) = checked(text, **env)
    assert (finding.severity, finding.key) == (severity, key)
    assert message in finding.message
    assert fix in finding.fix


FINE = [
    '[providers.own]\nbase_url = "http://127.0.0.1:8000/v1"',
    '[providers.own]\nbase_url = "https://h/v1"\nforward_caller = true',
    two('["gpt-*"]', '["*"]'),
    two('["*"]', '["gpt-*"]') + '[models.m]\nprovider = "b"',
    routes('["gpt-4o*"]', '["gpt-*"]', '["*"]'),
    OWN + '[lifetimes.a]\nttl = 1\n[lifetimes.b]\nttl = 1\npatterns = ["x"]'.replace("[lifetimes.a]\nttl = 1\n", ""),
]


@pytest.mark.parametrize("text", FINE)
def test_what_is_usual_is_not_complained_of(checked, text):
    assert checked(text, **KEYED) == []


def test_keys_in_the_file_are_each_pointed_out_and_never_told(checked):
    text = OWN.replace('key_env = "OWN_KEY"', 'key = "literal-1-0123456789"') + (
        '[keys.team]\nkey = "literal-2-0123456789"\n[admin]\nkey = "literal-3-0123456789"'
    )
    found = checked(text)
    assert [finding.key for finding in found] == ["providers.own.key", "keys.team.key", "admin.key"]
    assert {finding.severity for finding in found} == {"warning"}
    assert "literal-" not in repr(found)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_with_keys_that_others_can_read_is_an_error(checked, mode):
    found = checked('[keys.team]\nkey = "literal-2-0123456789"\n' + OWN, "error", mode=mode, **KEYED)
    assert [f"mode {mode:04o}" in finding.message for finding in found] == [True]
    assert "chmod 600" in found[0].fix


def test_a_file_without_keys_may_be_read_by_anybody(checked):
    assert checked(OWN, mode=0o644, **KEYED) == []


def test_a_state_dir_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    env = {"PENNYWORTH_STATE_DIR": str(tmp_path / "file" / "state")}
    (finding,) = [finding for finding in check(load(None, env), env) if finding.key == "state_dir"]
    assert finding.severity == "error"
    assert "is no directory" in finding.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_dir_that_cannot_be_written_to_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    env = {"PENNYWORTH_STATE_DIR": str(tmp_path / "state")}
    (finding,) = [finding for finding in check(load(None, env), env) if finding.key == "state_dir"]
    assert finding.severity == "error"


def test_the_gravest_findings_come_first(checked):
    severities = [finding.severity for finding in checked("enabled = false\n" + OWN, "error", "warning", "ok")]
    assert severities == sorted(severities, key=("error", "warning", "ok").index)
    assert {"error", "warning", "ok"} == set(severities)


pieces = st.text("ab*", max_size=6)


@given(pieces, pieces, st.text("ab", max_size=6))
def test_two_patterns_that_match_one_name_overlap(one, other, name):
    if glob.matches(one, name) and glob.matches(other, name):
        assert overlap(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("a*", "b*"), ("*a", "*b"), ("a", "b"), ("", "a"), ("a*c", "a*d"), ("ab", "a")]
)
def test_patterns_that_no_name_matches_both_of_do_not_overlap(one, other):
    assert not overlap(one, other)
    assert not overlap(other, one)


@pytest.mark.parametrize("pattern", [r"\bnow\b", "", "^$", ".*", "(?i)x", "价格", "$"])
def test_a_pattern_that_some_question_matches_is_not_called_dead(pattern):
    assert not matches_nothing(pattern)


def test_a_plan_is_described_row_by_row(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(
        OWN
        + '[models.m]\nprovider = "own"\nname = "org/m"\nrevision = "2"\nprice = { input = 1, output = 2 }\n'
        + '[[routes]]\nname = "r"\nmodels = ["m"]\nstale_if_error = "5m"\ntools = ["t"]\nttl = "1h"\n'
        + '[keys.team]\nenv = "TEAM"\n[switches]\nexact = 50\n[listen]\nhost = "::1"\n[log]\nlevel = "error"'
    )
    rows = {(row.part, row.name): f"{row.value} | {row.note}" for row in describe(load(str(path), {"TEAM": "k" * 20}))}
    assert rows["listen", ""] == "[::1]:8080 | 1 worker(s); serves callers with a key"
    assert rows["admin", ""] == "127.0.0.1:8081 | without a key"
    assert rows["key", "team"].startswith("scope team")
    assert rows["provider", "own"] == (
        "https://gpu.example.com/v1 | *; key: OWN_KEY from providers.own.key_env, which is not set"
    )
    assert rows["model", "m"] == "own | as org/m; revision 2; own price"
    assert rows["route", "r"] == "m | policy as_asked; tools kept: t; stale if error 5m; ttl 1h"
    assert rows["switch", "exact"].startswith("50 %")
    assert rows["log", ""].startswith("error")
    assert rows["lifetime", "realtime"].startswith("never kept")


def test_a_provider_is_described_by_whose_key_it_is_asked_with(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(
        '[providers.a]\nbase_url = "https://a/v1"\nforward_caller = true\n[providers.b]\nbase_url = "https://b/v1"'
    )
    notes = [row.note for row in describe(load(str(path), {})) if row.part == "provider"]
    assert notes == ["*; with the caller's own key", "*; without a key"]
