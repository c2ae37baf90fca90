"""Who the clients are: tenants of every kind there is, and the keys by which the gateway knows them."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import msgspec

from pennyworth.clients import ClientKey, Share, Team
from pennyworth.secret import Secret


class Tenant(msgspec.Struct, frozen=True):
    """One client. Clients of one ``name`` may share answers, and nobody else with them.

    Attributes:
        credential: what it shows. ``scope``: as receipts name it; "" where nobody but the gateway can compute it.
        key: the name of its virtual key, which may be revoked; "" for others.
    """

    name: str
    credential: str
    scope: str = ""
    key: str = ""


class People(NamedTuple):
    """``virtual``: name and secret of the keys that an operator has made at run time."""

    tenants: list[Tenant]
    keys: tuple[ClientKey, ...] = ()
    teams: tuple[Team, ...] = ()
    virtual: tuple[tuple[str, str], ...] = ()


def forwarded(number: int) -> People:
    """Everybody brings a credential of the provider's."""
    return People([Tenant(f"t{i}", f"sk-client-{i}") for i in range(number)])


def with_keys(chance: Random, number: int) -> People:
    """Keys that share within a named scope, a team, the key itself, or one end user; and some made at run time."""
    tenants: list[Tenant] = []
    keys: list[ClientKey] = []
    teams: list[Team] = []
    virtual: list[tuple[str, str]] = []
    for i in range(number):
        name, secret = f"t{i}", f"sk-client-{i}"
        match chance.choice(("scope", "scope", "two", "key", "team", "user", "virtual")):
            case "scope":
                tenants.append(Tenant(name, secret, name))
                keys.append(_key(f"k{i}", secret, name))
            case "two":
                tenants += [Tenant(name, secret, name), Tenant(name, secret + "b", name)]
                keys += [_key(f"k{i}", secret, name), _key(f"k{i}b", secret + "b", name)]
            case "key":
                tenants.append(Tenant(name, secret, f"key:k{i}"))
                keys.append(_key(f"k{i}", secret, "common", "key"))
            case "team":
                teams.append(Team(name=f"team{i}"))
                tenants += [Tenant(name, secret, f"team:team{i}"), Tenant(name, secret + "b", f"team:team{i}")]
                keys += [_key(f"k{i}{b}", secret + b, "common", "team", f"team{i}") for b in ("", "b")]
            case "user":
                tenants += [Tenant(f"{name}-{user}", secret) for user in ("ann", "ben")]
                keys.append(_key(f"k{i}", secret, "common", "user"))
            case _:
                tenants.append(Tenant(name, secret, f"key:v{i}", f"v{i}"))
                virtual.append((f"v{i}", secret))
    return People(tenants, tuple(keys), tuple(teams), tuple(virtual))


def _key(name: str, secret: str, scope: str, share: Share = "scope", team: str = "") -> ClientKey:
    return ClientKey(name=name, secret=Secret(secret), scope=scope, share=share, team=team)
