"""Who may come in now, made of the configuration, the virtual keys and the time."""

from __future__ import annotations

from typing import Any

import pytest

from pennyworth.clients import Allowance, ClientKey, KeySet, Team
from pennyworth.decide import keys
from pennyworth.decide.key import Keyring
from pennyworth.decide.tenants import tenants_of
from pennyworth.plan import Plan
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.view import Tenants

SEAL = keys.sealer(Keyring(b"s" * 32))
SMALL = Allowance(models=("small",))
EVERYONE = Allowance(requests_per_minute=100)
TEAM = Team(name="search", allowance=Allowance(tokens_per_minute=9))
CONFIGURED = ClientKey(name="app", secret=Secret("configured"), scope="apps")


def plan_of(*keys: ClientKey, teams: tuple[Team, ...] = (TEAM,)) -> Plan:
    return Plan(providers=(), keys=keys, teams=teams, everyone=EVERYONE)


def keys_of(*wanted: dict[str, Any]) -> KeySet:
    found = KeySet(version=5)
    for each in wanted:
        asked = keys.Wanted(**({"scope": each["name"]} | each))
        found = keys.create(found, keys.made(asked, f"secret-{asked.name}", SEAL, 100.0), ())
    return found


def tenants(plan: Plan, found: KeySet, now_s: float = 100.0) -> Tenants:
    return tenants_of(plan, found, now_s, SEAL)


def test_without_any_key_everybody_is_one_tenant_under_what_everybody_may():
    made = tenants(plan_of(), KeySet())
    assert (made.locked, set(made.grants), made.callers) == (False, {""}, {})
    assert made.grants[""].of_all == EVERYONE


def test_a_value_that_nobody_filled_lets_nobody_in():
    assert (Tenants().locked, Tenants().grants, Tenants().callers) == (True, {}, {})


def test_configured_and_virtual_keys_stand_side_by_side():
    made = tenants(plan_of(CONFIGURED), keys_of({"name": "alice", "team": "search", "allowance": SMALL}))
    assert made.callers[SEAL("configured")] == Caller("apps", client="app")
    assert made.callers[SEAL("secret-alice")] == Caller("key:alice", client="alice", team="search")
    assert len(made.callers) == 2
    alice = made.grants["alice"]
    assert (alice.own, alice.of_team, alice.of_all) == (SMALL, TEAM.allowance, EVERYONE)
    assert set(made.grants) == {"app", "alice"}
    assert (made.version, made.troubles) == (5, ())


def test_the_end_of_the_last_key_lets_in_nobody_rather_than_everybody():
    revoked = keys.revoke(keys_of({"name": "alice"}), "alice", 100.0)
    made = tenants(plan_of(), revoked)
    assert (made.locked, made.grants, made.callers) == (True, {}, {})


@pytest.mark.parametrize(
    ("plan", "wanted", "trouble"),
    [
        (plan_of(CONFIGURED), {"name": "app"}, "the configuration has a key of that name"),
        (plan_of(teams=()), {"name": "alice", "team": "search"}, "the configuration has no team 'search'"),
    ],
)
def test_a_key_that_the_configuration_contradicts_is_out_of_force_and_said_to_be(plan, wanted, trouble):
    found = keys_of(wanted)
    made = tenants(plan, found)
    assert SEAL(f"secret-{wanted['name']}") not in made.callers
    assert trouble in made.troubles[0]
    assert "alice" not in made.grants
    assert not tenants(plan, keys.revoke(found, wanted["name"], 100.0)).troubles


def test_it_says_when_it_must_be_made_anew():
    found = keys_of({"name": "a", "lives_s": 50.0}, {"name": "b"})
    found = keys.rotate(found, "b", "secret-new", SEAL, 100.0, 20.0)
    assert tenants(plan_of(), found).until_s == 120.0
    assert SEAL("secret-b") in tenants(plan_of(), found, 119.9).callers
    later = tenants(plan_of(), found, 120.0)
    assert (later.until_s, SEAL("secret-b") in later.callers) == (150.0, False)
    last = tenants(plan_of(), found, 150.0)
    assert (last.until_s, set(last.grants)) == (float("inf"), {"b"})
