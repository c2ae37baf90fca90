"""A Plan as rows of a table for people. No row holds a secret."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pennyworth.clients import Allowance
from pennyworth.config.amounts import show_duration, show_size, show_switch
from pennyworth.plan import ModelSpec, Plan, Provider, Route


class Row(msgspec.Struct, frozen=True):
    """``part`` of the configuration, its ``name`` where there are several, what is set, and a note."""

    part: str
    name: str
    value: str
    note: str = ""


def describe(plan: Plan) -> list[Row]:
    """What the operator decided, the doors first."""
    return [
        *_doors(plan),
        *(_provider(provider) for provider in plan.providers),
        *(_model(spec) for spec in plan.models.values()),
        *(_route(route) for route in plan.routes),
        *(Row("switch", layer, show_switch(switch)) for layer, switch in plan.switches.items()),
        *_lifetimes(plan),
        *_rest(plan),
    ]


def _doors(plan: Plan) -> Iterator[Row]:
    listen = plan.listen
    who = "callers without a key" if plan.allow_anonymous and not plan.keys else "callers with a key"
    yield Row("listen", "", f"{_authority(listen.host, listen.port)}", f"{listen.workers} worker(s); serves {who}")
    locked = "with the admin key" if plan.admin_key else "without a key"
    yield Row("admin", "", _authority(listen.admin_host, listen.admin_port), locked)
    for key in plan.keys:
        shares = f"scope {key.scope}" if key.share == "scope" else f"shares by {key.share}"
        team = f"team {key.team}" if key.team else ""
        yield Row("key", key.name, shares, "; ".join(part for part in (team, in_words(key.allowance)) if part))
    for group in plan.teams:
        yield Row("team", group.name, in_words(group.allowance) or "no limit")
    if limited := in_words(plan.everyone):
        yield Row("everyone", "", limited)
    if plan.alert_webhook:
        yield Row("alerts", "", "posted to the webhook")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def in_words(allowance: Allowance) -> str:
    """What it limits; "" where it limits nothing."""
    told = [
        f"models {', '.join(allowance.models)}" if "*" not in allowance.models else "",
        *(f"{budget.amount} {budget.currency} a {budget.period}" for budget in allowance.budgets),
        f"{allowance.requests_per_minute} requests/min" if allowance.requests_per_minute else "",
        f"{allowance.tokens_per_minute} tokens/min" if allowance.tokens_per_minute else "",
        f"at the limit: {_at_limit(allowance)}" if allowance.at_limit != "refuse" else "",
        "" if allowance.pass_through is None else f"pass-through {'yes' if allowance.pass_through else 'no'}",
    ]
    return "; ".join(part for part in told if part)


def _at_limit(allowance: Allowance) -> str:
    return f"{allowance.downgrade_to} instead" if allowance.downgrade_to else "kept answers alone"


def _provider(provider: Provider) -> Row:
    if provider.simulated:
        note = "simulated"
    elif provider.forward_caller:
        note = "with the caller's own key"
    elif provider.key_source:
        note = f"key: {provider.key_source}" + ("" if provider.credential else ", which is not set")
    else:
        note = "without a key"
    road = f"; by the proxy {provider.road.proxy}" if provider.road.proxy else ""
    return Row("provider", provider.name, provider.base_url, f"{', '.join(provider.models)}; {note}{road}")


def _model(spec: ModelSpec) -> Row:
    told = [
        f"as {spec.upstream_name}" if spec.upstream_name else "",
        f"revision {spec.revision}" if spec.revision else "",
        "own price" if spec.price else "",
    ]
    return Row("model", spec.name, spec.provider or "by pattern", "; ".join(part for part in told if part))


def _route(route: Route) -> Row:
    told = [
        f"policy {route.policy}",
        *(f"{layer} {show_switch(switch)}" for layer, switch in route.switches.items()),
        "sampled answers kept" if route.sampled else "",
        f"tools kept: {', '.join(route.tools)}" if route.tools else "",
        f"stale if error {show_duration(route.stale_if_error_s)}" if route.stale_if_error_s else "",
        "fingerprint starts epochs" if route.fingerprint_epochs else "",
        f"ttl {show_duration(route.ttl_s)}" if route.ttl_s is not None else "",
    ]
    return Row("route", route.name, ", ".join(route.models), "; ".join(part for part in told if part))


def _lifetimes(plan: Plan) -> Iterator[Row]:
    for lifetime in plan.lifetimes:
        lives = show_duration(lifetime.ttl_s) if lifetime.ttl_s else "never kept"
        earned = f", up to {show_duration(lifetime.max_s)}" if lifetime.max_s > lifetime.ttl_s else ""
        default = "the default" if lifetime.name == plan.default_lifetime else f"{len(lifetime.patterns)} pattern(s)"
        yield Row("lifetime", lifetime.name, lives + earned, default)


def _rest(plan: Plan) -> Iterator[Row]:
    cache = plan.cache
    yield Row("cache", "", f"{cache.max_entries} entries, {show_size(cache.max_bytes)}", f"in {plan.state_dir}")
    yield Row("cache", "memory", f"{cache.l1_entries} entries, {show_size(cache.l1_bytes)}", "in each worker")
    overlay = plan.prices.overlay or "no overlay"
    yield Row("prices", "", overlay, f"a book older than {plan.prices.stale_after_days} days warns")
    yield Row("log", "", plan.log_level)
    yield Row("enabled", "", "yes" if plan.enabled else "no: a plain proxy that writes receipts")
    if not plan.pass_through:
        yield Row("pass-through", "", "no: the dialects alone are served")
    yield Row("digest", "", plan.digest)
