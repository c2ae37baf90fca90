"""Are the keys there, each used for one thing, and kept out of files that others can read?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping

from pennyworth.config.addresses import host_and_port, is_loopback
from pennyworth.config.finding import Finding, error, ok, warning
from pennyworth.config.load import document
from pennyworth.config.presets import preset_named
from pennyworth.config.problems import dotted
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan, Provider

_SHORTEST = 16


def findings(plan: Plan, env: Mapping[str, str], path: str | None) -> Iterator[Finding]:
    for provider in plan.providers:
        yield _provider_key(provider)
    yield from _keys_used_twice(plan)
    yield from _short_keys(plan)
    yield from _forwarded(plan)
    yield from _literals(env, path)


def _provider_key(provider: Provider) -> Finding:
    at = dotted("providers", provider.name)
    if provider.simulated:
        return ok(at, "the sandbox answers; it needs no key")
    if provider.forward_caller:
        return ok(at, "sends each caller's own key")
    if provider.credential:
        return ok(at, f"has a key ({provider.key_source})")
    if provider.key_source:
        variable = provider.key_source.split()[0]
        message = f"no key: the environment variable {variable} is not set"
        return error(f"{at}.key_env", message, f"Set {variable} to your key at {provider.base_url}.")
    if provider.auth == "none":
        return ok(at, "asked without a key, as auth says")
    if is_loopback(host_and_port(provider.base_url)[0]):
        return ok(at, "a server on this machine, asked without a key")
    if (preset := preset_named(provider.preset)) and preset.keyless:
        return ok(at, f"a server of your own, asked without a key; if it wants one, set {preset.key_env}")
    fix = 'Name the variable that holds it, such as key_env = "MY_PROVIDER_KEY", or set forward_caller = true.'
    return warning(f"{at}.key_env", f"no key is configured for {provider.base_url}", fix)


def _keys_used_twice(plan: Plan) -> Iterator[Finding]:
    providers = {provider.credential: provider.name for provider in plan.providers if provider.credential}
    doors = {dotted("keys", key.name): key.secret for key in plan.keys} | {"admin.key": plan.admin_key}
    for at, secret in doors.items():
        if secret in providers:
            message = f"it is the key of the provider {providers[secret]!r} as well: whoever may ask could also spend"
            yield error(at, message, "Make a key of your own for it, such as `openssl rand -hex 24`.")
    for key in plan.keys:
        if key.secret == plan.admin_key:
            message = "it is the admin key as well: every caller could purge and switch"
            yield error(dotted("keys", key.name), message, "Make two different keys.")


def _short_keys(plan: Plan) -> Iterator[Finding]:
    doors = [(dotted("keys", key.name), key.secret) for key in plan.keys] + [("admin.key", plan.admin_key)]
    for at, secret in doors:
        if secret and len(secret.reveal()) < _SHORTEST:
            message = f"it is shorter than {_SHORTEST} characters and can be guessed"
            yield warning(at, message, "Make a longer one, such as `openssl rand -hex 24`.")


def _forwarded(plan: Plan) -> Iterator[Finding]:
    for provider in plan.providers if plan.keys else ():
        if provider.forward_caller:
            message = "callers present a key of this gateway, so there is none of their own to forward"
            fix = "Give the provider a key, or remove the client keys."
            yield error(f"{dotted('providers', provider.name)}.forward_caller", message, fix)


def _literals(env: Mapping[str, str], path: str | None) -> Iterator[Finding]:
    try:
        name, data = document(path, env)
    except ConfigError as failure:
        yield error(failure.key, failure.problem, failure.fix)
        return
    found = list(_literal_keys(data))
    for at in found:
        message = "the key stands in the file itself, and goes wherever the file goes"
        yield warning(at, message, "Put it into an environment variable and name that instead.")
    if found and (mode := stat.S_IMODE(os.stat(name).st_mode)) & 0o077:
        message = f"the file holds keys, and its mode {mode:04o} lets other users of this machine at it"
        yield error(repr(name), message, f"Run: chmod 600 {name}")


def _literal_keys(data: Mapping[str, object]) -> Iterator[str]:
    for section in ("providers", "keys"):
        tables = data.get(section)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if isinstance(table, dict) and "key" in table:
                yield f"{dotted(section, name)}.key"
    admin = data.get("admin")
    if isinstance(admin, dict) and "key" in admin:
        yield "admin.key"
