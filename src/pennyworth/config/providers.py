"""Who can be asked: the providers that the file names, or, where it names none, those whose keys are in the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pennyworth.config.addresses import BASE_URL, host_and_port, is_loopback, is_wildcard
from pennyworth.config.credentials import SECRET
from pennyworth.config.kinds import NAME
from pennyworth.config.presets import PRESETS, Preset, preset_named
from pennyworth.config.problems import dotted
from pennyworth.config.reading import Reading
from pennyworth.config.roads import road
from pennyworth.config.schema_routing import CALLS, PROVIDER
from pennyworth.plan import PLAIN, Listen, Persistence, Provider, Quirks
from pennyworth.secret import Secret


def providers(reading: Reading, value: object) -> tuple[Provider, ...]:
    """Those of ``[providers]`` in the order of the file, or those of the environment."""
    tables = reading.named(value, "providers", NAME)
    if value:
        found = (_from_table(reading, name, table) for name, table in tables.items())
        return tuple(provider for provider in found if provider is not None)
    return _from_environment(reading)


def refuse_itself(reading: Reading, found: Iterable[Provider], listen: Listen) -> None:
    """A base URL that leads back to this gateway would ask itself until something gives."""
    for provider in found:
        host, port = host_and_port(provider.base_url)
        here = host == listen.host or (is_loopback(host) and (is_loopback(listen.host) or is_wildcard(listen.host)))
        if here and port == listen.port:
            variable = _address_variable(reading, provider)
            key = variable or f"{dotted('providers', provider.name)}.base_url"
            fix = f"Unset {variable} for the gateway." if variable else "Name the provider's own address."
            reading.wrong(key, f"{provider.base_url!r} is this gateway's own address", fix)


def credential(
    reading: Reading, at: str, literal: Secret | None, variable: str | None, key: str = "key_env"
) -> tuple[Secret, str]:
    """A key and where it comes from, in words. A variable that is not set leaves the key empty."""
    if literal is not None and variable is not None:
        reading.wrong(f"{at}.{key}", "there is a literal key as well", f"Keep {key} and remove the other.")
    if variable is not None:
        return _from_variable(reading, variable), f"{variable} from {at}.{key}"
    return (literal, f"{at}.key") if literal is not None else (Secret(""), "")


def _from_variable(reading: Reading, variable: str) -> Secret:
    text = reading.variable(variable)
    return (reading.read(SECRET, text, variable) if text else None) or Secret("")


def _from_table(reading: Reading, name: str, table: Mapping[str, object]) -> Provider | None:
    at = dotted("providers", name)
    given = reading.section(PROVIDER, table, at)
    start = _start(reading, name, given, at)
    secret, source = _key(reading, at, given, start)
    if "persistence" in given:
        given["persistence"] = Persistence(**reading.section(CALLS, given["persistence"], f"{at}.calls"))
    base_url = given.pop("base_url", "") or (_preset_address(reading, start) if start else "")
    if base_url:
        by = road(reading, at, given, base_url)
        quirks = _quirks(given, start.quirks if start else PLAIN)
        settings = _preset_settings(start) | given
        settings["headers"] = _headers(start, given)
        return Provider(
            name=name, base_url=base_url, credential=secret, key_source=source, road=by, quirks=quirks, **settings
        )
    if start or ("base_url" not in table and "preset" not in table):
        names = ", ".join(preset.name for preset in PRESETS)
        fix = f"Give it, or set {start.url_env}." if start else f"Give it, or name a preset: {names}."
        reading.wrong(f"{at}.base_url", "it is missing", fix)
    return None


def _key(reading: Reading, at: str, given: dict[str, Any], start: Preset | None) -> tuple[Secret, str]:
    literal, variable = given.pop("key", None), given.pop("key_env", None)
    if given.get("forward_caller"):
        if literal or variable:
            fix = "Remove the key, or set forward_caller = false."
            reading.wrong(f"{at}.forward_caller", "the provider has a key of ours as well", fix)
        if given.pop("auth", "none") != "none":
            fix = "Remove auth: the caller's Authorization is sent as it came."
            reading.wrong(f"{at}.auth", "with forward_caller there is no key of ours to show", fix)
        return Secret(""), ""
    if given.get("auth") == "none":
        if literal or variable:
            reading.wrong(f"{at}.auth", "there is a key that would never be shown", "Remove the key, or auth.")
        return Secret(""), ""
    if start and not (literal or variable):
        secret = _from_variable(reading, start.key_env)
        return secret, start.key_env if secret or not start.keyless else ""
    return credential(reading, at, literal, variable)


def _quirks(given: dict[str, Any], usual: Quirks) -> Quirks:
    """Takes its keys out of what was given; what is not given is as usual there."""
    cap = given.pop("cap_field", usual.cap_field)
    return Quirks(leave_out=given.pop("leave_out", usual.leave_out), cap_field="" if cap == "both" else cap)


def _start(reading: Reading, name: str, given: dict[str, Any], at: str) -> Preset | None:
    # A provider that only shares a preset's name must not inherit its key: an address of its own ends the inheritance.
    asked = given.pop("preset", None)
    if asked is None:
        return None if "base_url" in given else preset_named(name)
    start = preset_named(asked)
    if start is None:
        reading.unknown(asked, [preset.name for preset in PRESETS], f"{at}.preset", "preset")
    return start


def _preset_settings(start: Preset | None) -> dict[str, Any]:
    if start is None:
        return {}
    return {
        "models": start.models,
        "price_provider": start.price_provider,
        "auth": start.auth,
        "dialects": start.dialects,
        "batch": start.batch,
        "preset": start.name,
    }


def _headers(start: Preset | None, given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Those of the file, and of the preset what the file does not name."""
    own: tuple[tuple[str, str], ...] = given.get("headers", ())
    names = {name for name, _ in own}
    return (*own, *[header for header in (start.headers if start else ()) if header[0] not in names])


def _preset_address(reading: Reading, preset: Preset) -> str:
    return preset.base_url or _named_address(reading, preset)


def _named_address(reading: Reading, preset: Preset) -> str:
    named = reading.variable(preset.url_env).rstrip("/").removesuffix(preset.url_suffix)
    return (reading.read(BASE_URL, named + preset.url_suffix, preset.url_env) if named else None) or ""


def _address_variable(reading: Reading, provider: Provider) -> str:
    """The variable that a provider's address was taken from, "" if it was none."""
    start = preset_named(provider.name)
    return start.url_env if start and provider.key_source == start.key_env and reading.variable(start.url_env) else ""


def _from_environment(reading: Reading) -> tuple[Provider, ...]:
    found = [_from_preset(reading, one) for one in PRESETS if not one.named_only and reading.variable(one.key_env)]
    usable = [provider for provider in found if provider is not None]
    if len(usable) == 1:
        return (msgspec.structs.replace(usable[0], models=("*",)),)
    return tuple(sorted(usable, key=lambda provider: "*" in provider.models))


def _from_preset(reading: Reading, preset: Preset) -> Provider | None:
    named = _named_address(reading, preset)
    if not (named or preset.base_url):
        return None
    return Provider(
        name=preset.name,
        base_url=named or preset.base_url,
        credential=_from_variable(reading, preset.key_env),
        key_source=preset.key_env,
        models=("*",) if named else preset.models,
        price_provider=preset.price_provider,
        auth=preset.auth,
        quirks=preset.quirks,
        dialects=preset.dialects,
        headers=preset.headers,
        batch=preset.batch,
        preset=preset.name,
    )
