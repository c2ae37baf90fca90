"""From a file and the environment to a Plan, or to every error there is. Reads the file and nothing else of the world."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from pennyworth.config.digest import with_digest
from pennyworth.config.doors import doors
from pennyworth.config.lifetimes import lifetimes, refuse_unworkable
from pennyworth.config.models import models
from pennyworth.config.providers import providers, refuse_itself
from pennyworth.config.reading import Reading, Section
from pennyworth.config.routes import routes, switches
from pennyworth.config.schema import CACHE, LIMITS, LOG, NAMED_TABLES, PASS_THROUGH, PRICES, ROOT, TABLES_OF_ONE
from pennyworth.config.tenants import alert_webhook, everyone, refuse_unreachable, teams
from pennyworth.errors import ConfigError
from pennyworth.plan import EVERY, CacheSpec, Limits, Plan, PriceSpec, Provider
from pennyworth.secret import Secret

PATH_VARIABLE = "PENNYWORTH_CONFIG"
_LARGEST_FILE = 1 << 20


def load(path: str | None, env: Mapping[str, str]) -> Plan:
    """The Plan of a TOML file and the environment.

    ``path`` stands for itself, else for ``PENNYWORTH_CONFIG``, else for no file. Variables win over the file. Raises
    ``ConfigError``; where there are several errors, ``ConfigErrors``, which holds them all.
    """
    reading = Reading(env)
    plan = _read(reading, path)
    reading.finish()
    return plan


def problems(path: str | None, env: Mapping[str, str]) -> list[ConfigError]:
    """Every reason for which ``load`` would refuse, in the order of reading; none if it would not."""
    reading = Reading(env)
    _read(reading, path)
    return reading.errors


def legible(path: str | None, env: Mapping[str, str]) -> Plan:
    """The Plan as far as it can be read, for who only wants to find a running gateway: what is wrong in it stands at
    its default. Nothing is to be served by it."""
    return _read(Reading(env), path)


def interpret(data: Mapping[str, object], env: Mapping[str, str]) -> Plan:
    """``load`` for a document that is parsed already."""
    reading = Reading(env)
    plan = _plan(reading, data)
    reading.finish()
    return plan


def with_sandbox(plan: Plan, base_url: str) -> Plan:
    """The Plan with the provider simulator as its last resort: for every model that no other provider is asked for."""
    sandbox = Provider(
        name="sandbox",
        base_url=base_url.rstrip("/"),
        credential=Secret("sandbox"),
        price_provider="openai",  # it simulates OpenAI, and charges as published there
        dialects=EVERY,
        batch=True,
        simulated=True,
    )
    others = tuple(provider for provider in plan.providers if provider.name != sandbox.name)
    return with_digest(msgspec.structs.replace(plan, providers=(*others, sandbox)))


def document(path: str | None, env: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The file's name and content; ("", {}) where there is no file. Raises ``ConfigError``."""
    name = path or env.get(PATH_VARIABLE, "").strip()
    return (name, _parsed(name, _bytes(name))) if name else ("", {})


def _read(reading: Reading, path: str | None) -> Plan:
    try:
        _, data = document(path, reading.env)
    except ConfigError as error:
        reading.errors.append(error)
        data = {}
    return _plan(reading, data)


def _bytes(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(repr(name), f"the file cannot be read ({reason})", "Name a TOML file that exists.") from None
    if len(content) > _LARGEST_FILE:
        raise ConfigError(repr(name), "the file is larger than 1 MiB", "Name the configuration, not some other file.")
    return content


def _parsed(name: str, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode(), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise ConfigError(repr(name), f"it is not UTF-8 at byte {error.start}", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(repr(name), f"it is not TOML: {error}", "Mend it there; see https://toml.io.") from None
    except (RecursionError, ArithmeticError, ValueError):  # nesting, exponents and integers beyond all measure
        problem = "it nests too deeply or holds a number too long to read"
        raise ConfigError(repr(name), problem, "Look for a stray bracket or digit.") from None


def _plan(reading: Reading, data: Mapping[str, object]) -> Plan:
    tables = (*NAMED_TABLES, *TABLES_OF_ONE, "routes")
    root = reading.section(ROOT, data, "", tables)
    groups = teams(reading, data.get("teams"))
    entry = doors(reading, data, groups, root.pop("allow_anonymous", None))
    found = providers(reading, data.get("providers"))
    refuse_itself(reading, found, entry.listen)
    classes = lifetimes(reading, data.get("lifetimes"))
    plan = Plan(
        providers=found,
        models=models(reading, data.get("models"), found),
        routes=routes(reading, data.get("routes")),
        switches=switches(reading, data.get("switches"), "switches"),
        lifetimes=classes,
        cache=CacheSpec(**_section(reading, CACHE, data)),
        limits=Limits(**_section(reading, LIMITS, data)),
        keys=entry.keys,
        teams=groups,
        everyone=everyone(reading, data.get("everyone")),
        alert_webhook=alert_webhook(reading, data.get("alerts")),
        admin_key=entry.admin_key,
        listen=entry.listen,
        prices=PriceSpec(**_section(reading, PRICES, data)),
        allow_anonymous=entry.allow_anonymous,
        **_section(reading, PASS_THROUGH, data),
        **_section(reading, LOG, data),
        **root,
    )
    if not reading.errors:  # a bad pattern has been named already
        refuse_unworkable(reading, plan.lifetimes, plan.default_lifetime)
        refuse_unreachable(reading, plan)
    return with_digest(plan)


def _section(reading: Reading, section: Section, data: Mapping[str, object]) -> dict[str, Any]:
    name = section.heading.strip("[]")
    return reading.section(section, reading.table(data.get(name), name), name)
