"""May this caller ask this model? The key's own allowance, its team's and everybody's must all say so.

A model is known by the name it is asked by and by its target's, ``provider/model``: a pattern may match either.
"""

from __future__ import annotations

from pennyworth.clients import Allowance
from pennyworth.decide import admit, glob
from pennyworth.decide.admit import Refuse
from pennyworth.plan import Plan, Route, Target
from pennyworth.view import Grant

_NOT_IN_FORCE = Refuse(
    401,
    "invalid_api_key",
    "The key that was shown is no longer in force. Ask the operator of this gateway for another one.",
)


def may_ask(grant: Grant, model: str, target: str = "") -> bool:
    """``target``: what the model stands for, where that is known. Holds for fallbacks and downgrades as well."""
    return grant.any_model or (
        _names(grant.own, model, target)
        and _names(grant.of_team, model, target)
        and _names(grant.of_all, model, target)
    )


def refusal(grant: Grant | None, model: str, target: str) -> Refuse | None:
    """Why not. A caller without a grant was let in before its key was revoked, and goes no further."""
    if grant is None:
        return _NOT_IN_FORCE
    return None if may_ask(grant, model, target) else _not_allowed(grant, model)


def fallbacks(grant: Grant, route: Route, plan: Plan) -> tuple[Target, ...]:
    """As ``admit.fallbacks``, without those that this caller may not ask."""
    found = ((model, admit.resolve(model, plan)) for model in route.fallbacks)
    return tuple(target for model, target in found if isinstance(target, Target) and may_ask(grant, model, target.name))


def offered(grant: Grant, plan: Plan) -> dict[str, str]:
    """The models that can be named in full, each with its owner, as far as this caller may ask them."""
    named = {name: spec.provider or "pennyworth" for name, spec in plan.models.items()}
    for provider in plan.providers:
        named |= {name: provider.name for name in provider.models if "*" not in name}
    if grant.any_model:
        return named
    for name in _in_full(grant):
        target = admit.resolve(name, plan)
        if not isinstance(target, Refuse):
            named.setdefault(name, target.provider.name)
    return {name: owner for name, owner in named.items() if may_ask(grant, name, _target_name(name, plan))}


def _names(allowance: Allowance, model: str, target: str) -> bool:
    patterns = allowance.models
    if "*" in patterns:
        return True
    return glob.any_matches(patterns, model) or (bool(target) and glob.any_matches(patterns, target))


def _in_full(grant: Grant) -> list[str]:
    allowances = (grant.own, grant.of_team, grant.of_all)
    return [name for allowance in allowances for name in allowance.models if "*" not in name]


def _target_name(model: str, plan: Plan) -> str:
    target = admit.resolve(model, plan)
    return "" if isinstance(target, Refuse) else target.name


def _not_allowed(grant: Grant, model: str) -> Refuse:
    """Says what each of the three allows that names models at all."""
    whose = (("This key", grant.own), (f"The team {grant.team!r}", grant.of_team), ("This gateway", grant.of_all))
    limited = [(who, each.models) for who, each in whose if "*" not in each.models]
    allowed = "; ".join(f"{who} may ask {', '.join(models)}" for who, models in limited)
    message = f"The model {model[:100]!r} is not allowed. {allowed}. Ask one of these, or ask the operator for more."
    return Refuse(403, "model_not_allowed", message)
