"""What is asked beside the dialects: who is asked, may this caller, may it be asked twice, and what is known of its price?"""

from __future__ import annotations

from pennyworth.clients import Allowance
from pennyworth.decide import admit, allowed
from pennyworth.decide.admit import Refuse
from pennyworth.decide.allowance import Limit
from pennyworth.money import Basis
from pennyworth.outcome import Outcome
from pennyworth.plan import Plan, Provider, Target
from pennyworth.request import Request, Through
from pennyworth.view import Grant

NO_MODEL = "other"
"""Stands for the model where none is named."""

_FREE = frozenset(["DELETE", "GET", "HEAD"])
_NOT_SENT = ("connect", "no_room", "resting")
_REPEATABLE = frozenset(["GET", "HEAD"])

_NO_MODEL_TO_COUNT = Refuse(
    400,
    "invalid_value",
    'model is missing; the name of the model whose tokens are to be counted is needed, such as "claude-sonnet-5".',
    param="model",
)
_OFF = Refuse(
    403,
    "pass_through_off",
    "This gateway passes nothing through beside its own dialects: pass_through.enabled is false. Ask its operator.",
)


def target(through: Through, plan: Plan) -> Target | Refuse:
    """Who is asked: whom the caller names, else where the model is, else the only provider that takes such requests."""
    if through.counts:
        return admit.resolve(through.named, plan) if through.named else _NO_MODEL_TO_COUNT
    if not plan.pass_through:
        return _OFF
    if through.provider:
        return _at(through, plan, through.provider)
    if through.named:
        found = admit.resolve(through.named, plan)
        if isinstance(found, Target):
            return _renamed(through, found) if _takes(found.provider) else _takes_none(found.provider, plan)
        if found.code != "model_not_found":
            return found
    takers = _takers(plan)
    return _at(through, plan, takers[0]) if len(takers) == 1 else _which(takers)


def barred(through: Through, grant: Grant | None, found: Target) -> Refuse | None:
    """Why this caller may not, if so. What has no price cannot be bounded, so whoever is bounded needs leave."""
    if grant is None or (through.named and not grant.any_model):
        if (no := allowed.refusal(grant, through.named, found.name)) is not None:
            return no
        assert grant is not None
    if through.counts:
        return None
    whose = ((f"key {grant.client!r}", grant.own), (f"team {grant.team!r}", grant.of_team), ("everyone", grant.of_all))
    for who, allowance in whose:
        if allowance.pass_through is False:
            return _no_leave(f"pass_through = false for {who}", "Ask the operator of this gateway.")
        if allowance.pass_through is None and (bound := _bound(allowance)):
            fix = "Its operator may give leave: pass_through = true beside it."
            return _no_leave(
                f"{who} is limited by {bound}, and it has no price that could be held against a limit", fix
            )
    return None


def beyond(limit: Limit) -> Refuse:
    """At a limit for which another model would be asked: what is passed through has no other."""
    return Refuse(
        429,
        "rate_limit_exceeded" if limit.unit != "pico" else "insufficient_quota",
        f"The limit of {limit.said} for {limit.whose} is reached, and there is no other model for what is passed through. "
        "Ask again when it is renewed.",
        final=limit.unit == "pico",
    )


def may_repeat(request: Request) -> bool:
    """Asked twice it does no more than asked once."""
    return request.through is None or request.through.method in _REPEATABLE


def costs_nothing(through: Through) -> bool:
    """At any provider: to read, to delete, to have tokens counted."""
    return through.method in _FREE or through.counts


def counted_by(found: Target) -> bool:
    """Whether this target's provider counts the tokens of a Messages request itself; else we say about how many."""
    return "messages" in found.provider.dialects


def basis(through: Through, outcome: Outcome) -> Basis:
    """How its cost is known without a usage. What costs nothing costs nothing, nor does what a provider refused or never
    saw. What anything else costs, nobody here knows."""
    if costs_nothing(through) or outcome.status >= 300 or outcome.broke in _NOT_SENT:
        return "none"
    return "unpriced"


def _at(through: Through, plan: Plan, name: str) -> Target | Refuse:
    provider = next((each for each in plan.providers if each.name == name), None)
    if provider is None:
        named = ", ".join(_takers(plan)) or "none"
        message = f"x-pennyworth-provider: there is no provider {name[:60]!a}. Those that take such requests: {named}."
        return Refuse(400, "unknown_provider", message)
    if not _takes(provider):
        return _takes_none(provider, plan)
    found = admit.resolve(f"{name}/{through.named.removeprefix(name + '/') or NO_MODEL}", plan)
    return _renamed(through, found) if isinstance(found, Target) else found


def _renamed(through: Through, found: Target) -> Target | Refuse:
    """A name of ours can be put right in a JSON body; an upload is not touched."""
    if not through.named or found.model == through.named or through.renamable:
        return found
    return Refuse(
        400,
        "model_alias",
        f"{through.named[:100]!r} is called {found.model!r} at {found.provider.name}, and this request is passed on as it is. "
        f"Name it so, with the header x-pennyworth-provider: {found.provider.name}.",
        param="model",
    )


def _takes(provider: Provider) -> bool:
    return "other" in provider.dialects


def _takers(plan: Plan) -> list[str]:
    return [provider.name for provider in plan.providers if _takes(provider)]


def _takes_none(provider: Provider, plan: Plan) -> Refuse:
    return Refuse(
        400,
        "not_passed_through",
        f'{provider.name} takes no such requests: providers.{provider.name}.dialects does not name "other". '
        f"Those that do: {', '.join(_takers(plan)) or 'none'}.",
    )


def _which(takers: list[str]) -> Refuse:
    if not takers:
        message = 'No provider takes such requests: none has "other" among its dialects. Ask the operator to add it.'
        return Refuse(404, "not_passed_through", message)
    return Refuse(
        400,
        "provider_not_named",
        f"It is not clear who is to be asked. Send the header x-pennyworth-provider with one of: {', '.join(takers)}.",
    )


def _bound(allowance: Allowance) -> str:
    """The first setting that what is passed through would evade."""
    if allowance.budgets:
        return f"budget_{allowance.budgets[0].period}"
    if allowance.tokens_per_minute:
        return "tokens_per_minute"
    if allowance.requests_per_minute:
        return "requests_per_minute"
    return "" if "*" in allowance.models else "models"


def _no_leave(why: str, fix: str) -> Refuse:
    return Refuse(403, "pass_through_not_allowed", f"This is not passed through: {why}. {fix}")
