"""Is there room for this request, whose model does it name, and which route's rules hold for it?

Pure and cheap: the answers depend on the Plan and the name alone, so they may be remembered for as long as the Plan.
"""

from __future__ import annotations

import msgspec

from pennyworth.decide import glob
from pennyworth.plan import ModelSpec, Plan, Provider, Route, Target
from pennyworth.request import Request
from pennyworth.view import View


class Admit(msgspec.Struct, frozen=True):
    """Come in."""


class Refuse(msgspec.Struct, frozen=True):
    """Not served. ``message`` says what to do next; ``retry_after_s`` > 0 where asking again may help, ``final`` where
    it will not, though the status alone would make a client try. ``param``: the body field at fault, if there is one."""

    status: int
    code: str
    message: str
    retry_after_s: int = 0
    final: bool = False
    param: str | None = None


_ADMIT = Admit()
_DRAINING = Refuse(503, "draining", "This gateway is shutting down. Send the request again: another one takes it.", 1)
_NO_RULES = Route()


def admit(_request: Request, view: View) -> Admit | Refuse:
    """Whether new work is taken on."""
    return _DRAINING if view.draining else _ADMIT


def route_for(model: str, plan: Plan) -> Route:
    """The first route that matches; without one, the defaults hold."""
    for route in plan.routes:
        if glob.any_matches(route.models, model):
            return route
    return _NO_RULES


def resolve(model: str, plan: Plan) -> Target | Refuse:
    """Which model at which provider a name stands for.

    In this order: what ``[models."name"]`` says; ``provider/name``, where that provider exists; the first provider
    whose patterns match.
    """
    spec = plan.models.get(model)
    if spec is not None and spec.provider:
        provider = _named(spec.provider, plan)
        return _target(provider, model, spec) if provider else _no_such_provider(spec)
    prefix, slash, name = model.partition("/")
    if slash and name and (provider := _named(prefix, plan)):
        return _target(provider, name, spec or _spec_at(provider, name, plan))
    for provider in plan.providers:
        if model and glob.any_matches(provider.models, model):
            return _target(provider, model, spec)
    return _unknown(model, plan)


def fallbacks(route: Route, plan: Plan) -> tuple[Target, ...]:
    """Whom to ask when the asked target fails. One that nobody offers, or has no key, is passed over."""
    found = (resolve(model, plan) for model in route.fallbacks)
    return tuple(target for target in found if isinstance(target, Target))


def _named(name: str, plan: Plan) -> Provider | None:
    return next((provider for provider in plan.providers if provider.name == name), None)


def _spec_at(provider: Provider, name: str, plan: Plan) -> ModelSpec | None:
    """What is said of ``name`` holds for ``provider/name`` too: a changed revision must reach both."""
    spec = plan.models.get(name)
    return spec if spec is not None and spec.provider in ("", provider.name) else None


def _target(provider: Provider, name: str, spec: ModelSpec | None) -> Target | Refuse:
    if not (provider.credential or provider.forward_caller) and provider.key_source:
        return _no_key(provider)
    if spec is None:
        return Target(provider=provider, model=name)
    return Target(provider=provider, model=spec.upstream_name or name, revision=spec.revision, price=spec.price)


def _no_key(provider: Provider) -> Refuse:
    """A provider for which no source of a key was ever named is a server that needs none."""
    return Refuse(
        503,
        "provider_key_missing",
        f"Provider {provider.name!r} has no key: {provider.key_source} is not set or empty. Set it and start again, "
        f"or set providers.{provider.name}.forward_caller = true to send each caller's own key.",
    )


def _no_such_provider(spec: ModelSpec) -> Refuse:
    return Refuse(
        503,
        "provider_not_configured",
        f'models."{spec.name}".provider is {spec.provider!r}, and there is no such provider. '
        f"Add [providers.{spec.provider}] with its base_url, or name another one.",
    )


def _unknown(model: str, plan: Plan) -> Refuse:
    shown = model[:100]
    first = plan.providers[0].name if plan.providers else "openai"
    return Refuse(
        404,
        "model_not_found",
        f"The model {shown!r} is offered by no configured provider. "
        f'Add [models."{shown}"] with provider = "{first}", or add a pattern that matches it to providers.{first}.models.',
    )
