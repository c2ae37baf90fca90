"""Who may come in: client keys, the two addresses, and the rule that a gateway without keys serves this machine only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pennyworth.clients import ClientKey, Team
from pennyworth.config.addresses import is_loopback
from pennyworth.config.credentials import SECRET
from pennyworth.config.kinds import NAME
from pennyworth.config.problems import dotted
from pennyworth.config.providers import credential
from pennyworth.config.reading import Field, Reading, Section
from pennyworth.config.schema import ADMIN, LISTEN
from pennyworth.config.schema_tenants import KEY
from pennyworth.config.tenants import allowance, check_tenant
from pennyworth.plan import Listen
from pennyworth.secret import Secret

ENVIRONMENT_KEY = "PENNYWORTH_KEY"
ADMIN_KEY = "PENNYWORTH_ADMIN_KEY"


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What the Plan says about getting in."""

    listen: Listen
    keys: tuple[ClientKey, ...]
    admin_key: Secret
    allow_anonymous: bool


def doors(reading: Reading, data: Mapping[str, object], teams: Iterable[Team], allow_anonymous: bool | None) -> Doors:
    """The addresses and keys together, because each decides what the other may be."""
    keys = data.get("keys")
    at = reading.section(LISTEN, reading.table(data.get("listen"), "listen"), "listen")
    given = reading.section(ADMIN, reading.table(data.get("admin"), "admin"), "admin")
    admin_key, locked = _admin_key(reading, given.pop("key", None), given.pop("key_env", None))
    found = _client_keys(reading, keys, [team.name for team in teams])
    address = Listen(**at, **given)
    # A key that could not be read is still meant to lock the door.
    named = bool(found or keys or reading.variable(ENVIRONMENT_KEY))
    local = is_loopback(address.host)
    if not named and not local and allow_anonymous is None:
        _refuse_open_door(reading, address)
    _check_admin(reading, address, locked)
    anonymous = (local and not named) if allow_anonymous is None else allow_anonymous
    return Doors(listen=address, keys=found, admin_key=admin_key, allow_anonymous=anonymous)


def _admin_key(reading: Reading, literal: Secret | None, variable: str | None) -> tuple[Secret, bool]:
    """The key, and whether one is meant to be there. Our own variable wins over the file."""
    if reading.variable(ADMIN_KEY):
        return literal or Secret(""), True
    return _required(reading, "admin", literal, variable, "key_env"), bool(literal or variable)


def _client_keys(reading: Reading, value: object, teams: list[str]) -> tuple[ClientKey, ...]:
    found = []
    for name, table in reading.named(value, "keys", NAME).items():
        at = dotted("keys", name)
        given = reading.section(KEY, table, at)
        secret = _required(reading, at, given.pop("key", None), given.pop("env", None), "env")
        check_tenant(reading, at, given, teams)
        may = allowance(reading, given, at)
        if secret:
            found.append(ClientKey(name=name, secret=secret, allowance=may, **({"scope": name} | given)))
        elif "env" not in table and "key" not in table:
            reading.wrong(at, "it has neither env nor key", 'Name the variable that holds it: env = "TEAM_KEY".')
    if text := reading.variable(ENVIRONMENT_KEY):
        secret = reading.read(SECRET, text, ENVIRONMENT_KEY)
        found += [ClientKey(name="environment", secret=secret, scope="default")] if secret else []
    _refuse_doubles(reading, found)
    return tuple(found)


def _required(reading: Reading, at: str, literal: Secret | None, variable: str | None, key: str) -> Secret:
    """A key that locks a door: where its variable is unset, an error, for an empty key would leave the door open."""
    if variable is not None and not reading.variable(variable):
        reading.wrong(f"{at}.{key}", f"the environment variable {variable} is not set", "Set it to the key.")
    return credential(reading, at, literal, variable, key)[0]


def _refuse_doubles(reading: Reading, keys: list[ClientKey]) -> None:
    for place, key in enumerate(keys):
        twin = next((other for other in keys[:place] if other.secret == key.secret), None)
        if twin is not None:
            problem = f"it is the same key as that of {twin.name!r}, so the scope would be anybody's guess"
            reading.wrong(dotted("keys", key.name), problem, "Give each name a key of its own.")


def _refuse_open_door(reading: Reading, address: Listen) -> None:
    reading.wrong(
        _source(reading, LISTEN, "host"),
        f"{address.host!r} can be reached from other machines, and no client key is configured",
        "Set PENNYWORTH_KEY or add [keys.NAME]; or listen on 127.0.0.1; or set allow_anonymous: false where all keys are "
        "made by 'pennyworth keys create', true to let anybody in.",
    )


def _check_admin(reading: Reading, address: Listen, locked: bool) -> None:
    if not locked and not is_loopback(address.admin_host):
        problem = f"{address.admin_host!r} can be reached from other machines, and no admin key is configured"
        reading.wrong("admin.host", problem, "Set PENNYWORTH_ADMIN_KEY or admin.key_env, or use 127.0.0.1.")
    if address.port and address.port == address.admin_port:
        problem = f"{address.admin_port} is the port of the gateway too"
        reading.wrong(_source(reading, ADMIN, "port"), problem, "Choose another, such as 8081.")


def _source(reading: Reading, section: Section, key: str) -> str:
    field: Field = next(field for field in section.fields if field.key == key)
    return reading.source(field, section.heading.strip("[]"))
