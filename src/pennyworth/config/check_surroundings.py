"""Does the configuration fit the machine it runs on: its disk, its environment, who can reach it?"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pennyworth.config.addresses import is_loopback
from pennyworth.config.doors import ENVIRONMENT_KEY
from pennyworth.config.finding import Finding, error, ok, warning
from pennyworth.config.load import PATH_VARIABLE
from pennyworth.config.presets import PRESETS, Preset
from pennyworth.config.schema import SECTIONS
from pennyworth.plan import Plan

_WITHOUT_EFFECT = ("semantic", "routing")


def variables() -> list[str]:
    """The environment variables of our own that mean something."""
    fields = [field.env for section in SECTIONS for field in section.fields if field.env]
    return [PATH_VARIABLE, *fields, ENVIRONMENT_KEY]


def findings(plan: Plan, env: Mapping[str, str]) -> Iterator[Finding]:
    yield _state_dir(plan.state_dir)
    yield from _overlay(plan.prices.overlay)
    yield from _who_may_ask(plan)
    yield from _in_effect(plan)
    yield from _sizes(plan)
    yield from _stray_variables(env)
    yield from _unused_addresses(plan, env)


def _state_dir(name: str) -> Finding:
    place = Path(name).absolute()
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not existing.is_dir():
        return error("state_dir", f"{str(existing)!r} is no directory", "Name a directory, or a new name within one.")
    if not os.access(existing, os.W_OK | os.X_OK):
        return error("state_dir", f"{str(existing)!r} cannot be written to", "Change its owner, or name another place.")
    return ok("state_dir", f"{str(place)!r} " + ("can be written to" if existing == place else "will be made"))


def _overlay(name: str) -> Iterator[Finding]:
    if name and not os.access(name, os.R_OK):
        place = str(Path(name).absolute())
        yield error("prices.overlay", f"{place!r} cannot be read", "Name a TOML file of prices that exists.")


def _who_may_ask(plan: Plan) -> Iterator[Finding]:
    if plan.keys:
        yield ok("keys", f"callers need one of {len(plan.keys)} key(s)")
        if plan.allow_anonymous:
            message = "it has no effect while there are client keys: callers need one"
            yield warning("allow_anonymous", message, "Remove it, or remove the keys.")
    elif not plan.allow_anonymous:
        message = "no client key is configured, and callers without one are refused: nobody is served but virtual keys"
        yield warning("allow_anonymous", message, "Make one: pennyworth keys create NAME. Or configure a client key.")
    elif is_loopback(plan.listen.host):
        yield ok(
            "listen.host",
            f"callers without a key are served, on {plan.listen.host} only, until 'pennyworth keys create' makes one",
        )
    else:
        message = f"anybody who reaches {plan.listen.host}:{plan.listen.port} may ask, at your expense"
        yield warning("allow_anonymous", message, "Configure client keys, or be sure of the network.")


def _in_effect(plan: Plan) -> Iterator[Finding]:
    if not plan.enabled:
        fix = "Set enabled = true, or unset PENNYWORTH_ENABLED."
        yield warning("enabled", "the gateway starts as a plain proxy, and saves nothing", fix)
    if not plan.providers:
        fix = "Set OPENAI_API_KEY, or add [providers.NAME]."
        yield warning("providers", "there is none, so the sandbox will answer: a simulator, not a model", fix)
    named = [("switches", plan.switches)] + [(f"routes[{at}].switches", r.switches) for at, r in enumerate(plan.routes)]
    for key, switches in named:
        for layer in switches:
            if layer in _WITHOUT_EFFECT:
                yield warning(f"{key}.{layer}", "nothing in this version depends on this switch", "Leave it out.")


def _sizes(plan: Plan) -> Iterator[Finding]:
    cache = plan.cache
    for key, size in (("l1_bytes", cache.l1_bytes), ("max_answer_bytes", cache.max_answer_bytes)):
        if size > cache.max_bytes:
            message = f"{size} is more than cache.max_bytes, {cache.max_bytes}, which the whole cache may hold"
            yield warning(f"cache.{key}", message, "Raise max_bytes, or lower this.")


def _stray_variables(env: Mapping[str, str]) -> Iterator[Finding]:
    known = variables()
    for name in sorted(env):
        if name.startswith("PENNYWORTH_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            yield warning(name, "there is no such variable, so it has no effect", fix)


def _unused_addresses(plan: Plan, env: Mapping[str, str]) -> Iterator[Finding]:
    used = {provider.key_source for provider in plan.providers}
    for preset in PRESETS:
        if preset.key_env not in used:
            yield from _half_configured(preset, env)


def _half_configured(preset: Preset, env: Mapping[str, str]) -> Iterator[Finding]:
    key, address = bool(env.get(preset.key_env, "").strip()), bool(preset.url_env and env.get(preset.url_env))
    if address and not key:
        message = f"it has no effect while {preset.key_env} is not set"
        yield warning(preset.url_env, message, f"Set {preset.key_env} too, or unset it.")
    if key and not address and not preset.base_url:
        message = f"it has no effect while {preset.url_env} is not set"
        yield warning(preset.key_env, message, f"Set {preset.url_env} too, or unset it.")
