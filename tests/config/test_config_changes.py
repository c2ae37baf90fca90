"""What is said of two configurations that differ: every key, by the name it has in the file, and never a secret."""

from typing import Any

import pytest

from pennyworth.config import changes, interpret, needs_restart
from pennyworth.config.changes import FIXED
from pennyworth.config.schema import SECTIONS
from pennyworth.plan import Plan

SECRETS = ("sk-abcdefgh1234567890", "sk-zyxwvuts0987654321")
BEFORE: dict[str, Any] = {
    "providers": {
        "openai": {"key": SECRETS[0], "headers": {"x-one": "1"}},
        "own": {"base_url": "http://127.0.0.1:9/v1", "models": ["a*"]},
    },
    "models": {"m": {"provider": "own", "price": {"input": "1", "output": "2"}}},
    "routes": [{"name": "r", "models": ["m"], "ttl": "1h", "switches": {"exact": "off"}}],
    "keys": {"ci": {"key": SECRETS[0] + "x", "scope": "s"}},
    "admin": {"key": SECRETS[0] + "y"},
    "lifetimes": {"static": {"ttl": "1h"}},
}


def plan(**tables: Any) -> Plan:
    return interpret(BEFORE | tables, {})


def said(**tables: Any) -> list[str]:
    return [str(change) for change in changes(plan(), plan(**tables))]


def provider(**more: Any) -> dict[str, Any]:
    return BEFORE["providers"] | {"openai": BEFORE["providers"]["openai"] | more}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({}, []),
        ({"limits": {"drain": "10s"}}, ["limits.drain: 25s → 10s"]),
        ({"cache": {"l1_bytes": "1MiB"}}, ["cache.l1_bytes: 16MiB → 1MiB"]),
        ({"log": {"level": "error"}}, ["log.level: info → error"]),
        ({"admin": BEFORE["admin"] | {"port": 9}}, ["admin.port: 8081 → 9"]),
        ({"admin": {}}, ["admin.key: no longer set"]),
        ({"admin": {"key": SECRETS[1]}}, ["admin.key: changed (not shown)"]),
        ({"providers": provider(key=SECRETS[1])}, ["providers.openai.key: changed (not shown)"]),
        ({"providers": provider(headers={"x-one": "2"})}, ["providers.openai.headers: changed"]),
        ({"providers": provider(total_timeout="2m")}, ["providers.openai.total_timeout: 1m → 2m"]),
        ({"providers": dict(reversed(BEFORE["providers"].items()))}, ["providers: in another order"]),
        ({"keys": {}}, ["keys.ci: removed", "allow_anonymous: false → true"]),
        ({"keys": {"ci": BEFORE["keys"]["ci"] | {"scope": "t"}}}, ["keys.ci.scope: s → t"]),
        (
            {"models": {"m": {"provider": "own", "price": {"input": "3", "output": "2"}}}},
            ["models.m.price: changed"],
        ),
        ({"models": {}}, ["models.m: removed"]),
        ({"keys": {"ci": BEFORE["keys"]["ci"] | {"models": ["m"]}}}, ["keys.ci.models: * → m"]),
        ({"everyone": {"tokens_per_minute": 7}}, ["everyone.tokens_per_minute: 0 → 7"]),
        (
            {"everyone": {"budget_day": "2 CNY", "budget_month": "7 USD"}},
            ["everyone.budget_day: none → 2 CNY", "everyone.budget_month: none → 7 USD"],
        ),
        ({"teams": {"t": {}}}, ["teams.t: added"]),
        ({"providers": provider(proxy="http://p:1")}, ["providers.openai.proxy: none → http://p:1"]),
        ({"providers": provider(calls={"tries": 1})}, ["providers.openai.calls.tries: 3 → 1"]),
        (
            {"routes": [BEFORE["routes"][0] | {"ttl": "2h", "switches": {"exact": 50}}]},
            ["routes.r.switches.exact: off → 50 %", "routes.r.ttl: 1h → 2h"],
        ),
        ({"switches": {"exact": "off"}}, ["switches.exact: added"]),
        ({"lifetimes": {"static": {"ttl": "2h"}}}, ["lifetimes.static.ttl: 1h → 2h"]),
        ({"lifetimes": {"static": {"ttl": "1h", "patterns": ["x" * 99]}}}, ["lifetimes.static.patterns: changed"]),
        ({"prices": {"overlay": "p.toml"}}, ["prices.overlay: none → p.toml"]),
    ],
)
def test_each_change_is_said_by_its_key(tables: dict[str, Any], expected: list[str]) -> None:
    assert said(**tables) == expected
    back = [str(change) for change in changes(plan(**tables), plan())]
    assert len(back) == len(expected)
    assert not any(secret[3:] in line for line in said(**tables) + back for secret in SECRETS)


@pytest.mark.parametrize("key", ["cache.encrypt", "cache.max_bytes", "listen.port", "state_dir"])
def test_what_is_opened_once_at_the_start_is_not_changed_by_a_reload(key: str) -> None:
    table, _, name = key.rpartition(".")
    value = {"encrypt": True, "max_bytes": "1GB", "port": 9999, "state_dir": "elsewhere"}[name]
    (error,) = needs_restart(plan(), plan(**({table: {name: value}} if table else {name: value})))
    assert error.key == key


def test_what_needs_a_restart_is_named_and_exists() -> None:
    keys = {
        f"{section.heading.strip('[]')}.{field.key}".lstrip(".") for section in SECTIONS for field in section.fields
    }
    assert keys >= FIXED
    refused = needs_restart(plan(), plan(listen={"workers": 3}, state_dir="elsewhere", limits={"drain": "1s"}))
    assert [error.key for error in refused] == ["listen.workers", "state_dir"]
    assert all("needs a restart" in str(error) for error in refused)
