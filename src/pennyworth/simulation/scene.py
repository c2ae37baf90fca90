"""The deployment that an episode plays in: its providers, models, routes and tenants, drawn by seed, as a Plan."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import msgspec

from pennyworth.plan import Lifetime, Limits, ModelSpec, Persistence, Plan, Provider, Route
from pennyworth.request import Dialect
from pennyworth.sandbox.bill import random_prices
from pennyworth.secret import Secret
from pennyworth.simulation.people import People, Tenant, forwarded, with_keys
from pennyworth.simulation.prices import price_of

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "assistant", "gpt-4.1-nano")
_AT = {"gpt-4o-mini": "alpha", "gpt-4o": "alpha", "gpt-4.1-mini": "beta", "assistant": "alpha", "gpt-4.1-nano": "beta"}
_CALLED = {"assistant": "gpt-4.1"}
PROVIDERS = ("alpha", "beta")
_SPOKEN: Mapping[str, tuple[Dialect, ...]] = {"alpha": ("chat",), "beta": ("chat", "messages", "responses")}

LIFE_S = 3600.0
STALE_S = 3600.0

_ROUTES = (
    Route(name="patient", models=("gpt-4o",), stale_if_error_s=STALE_S),
    Route(name="hasty", models=("gpt-4.1-mini",), hedge=True),
    Route(name="sampling", models=("gpt-4.1-nano",), sampled=True),
    Route(name="default", fallbacks=("gpt-4.1-mini",)),
)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """``forwards``: each client's own credential goes to the provider, and is its scope. ``longest_s``: no answer is given
    later than that after it was kept."""

    plan: Plan
    people: People
    prices: dict[str, dict[str, str]]
    forwards: bool
    longest_s: float

    def scope_of(self, tenant: str) -> str:
        """As receipts name it; "" where only the gateway can."""
        return next((each.scope for each in self.people.tenants if each.name == tenant), "")

    def upstream_of(self, model: str) -> tuple[str, str]:
        """Provider and the name there, of a model as asked."""
        return _AT[model], _CALLED.get(model, model)

    def stand_ins(self, model: str) -> list[tuple[str, str]]:
        """Where else an answer may come from, if the receipt says so."""
        return [self.upstream_of(other) for other in self.route_of(model).fallbacks if other != model]

    def route_of(self, model: str) -> Route:
        return next(route for route in self.plan.routes if model in route.models or "*" in route.models)

    def credential(self, provider: str, tenant: Tenant) -> str:
        """What the provider sees."""
        return tenant.credential if self.forwards else f"sk-{provider}"


def scene(chance: Random, tenants: int) -> Scene:
    forwards = chance.random() < 0.25
    called = sorted({_CALLED.get(model, model) for model in MODELS})
    prices = random_prices(chance.randrange(1 << 30), called)
    people = forwarded(tenants) if forwards else with_keys(chance, tenants)
    longest_s = LIFE_S * chance.choice((1, 2))
    plan = Plan(
        providers=tuple(_provider(name, forwards, chance.choice((0, 0, 5))) for name in PROVIDERS),
        models={model: _model(model, prices) for model in MODELS},
        routes=_ROUTES,
        lifetimes=(
            Lifetime(name="live", ttl_s=0.0, max_s=0.0, patterns=("right now",)),
            Lifetime(name="other", ttl_s=LIFE_S, max_s=longest_s),
        ),
        limits=Limits(max_reply_bytes=60_000, drain_s=20.0, stall_timeout_s=60.0),
        keys=people.keys,
        teams=people.teams,
        state_dir=":memory:",
        digest="simulated",
    )
    return Scene(plan=plan, people=people, prices=prices, forwards=forwards, longest_s=longest_s)


def _provider(name: str, forwards: bool, at_once: int) -> Provider:
    return Provider(
        name=name,
        base_url=f"http://{name}.sim/v1",
        credential=Secret("" if forwards else f"sk-{name}"),
        forward_caller=forwards,
        connect_s=2.0,
        idle_s=8.0,
        total_s=12.0,
        persistence=Persistence(rest_s=1.0, trip_after=5, max_concurrency=at_once, wait_s=10.0),
        dialects=_SPOKEN[name],
        simulated=True,
    )


def _model(model: str, prices: Mapping[str, Mapping[str, str]]) -> ModelSpec:
    called = _CALLED.get(model, model)
    return ModelSpec(name=model, provider=_AT[model], upstream_name=called, price=price_of(prices[called]))
