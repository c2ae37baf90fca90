"""Who is let in, and which target and route a model name stands for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.admit import Admit, Refuse, admit, resolve, route_for
from pennyworth.money import Price, Rate
from pennyworth.plan import ModelSpec, Plan, Provider, Route, Target
from pennyworth.request import Caller, Request
from pennyworth.secret import Secret
from pennyworth.view import Control, View

PRICE = Price(input=Rate(Decimal(1)), output=Rate(Decimal(2)))
KEY = Secret("sk-1")
OPENAI = Provider(
    name="openai", base_url="https://a/v1", credential=KEY, key_source="OPENAI_API_KEY", models=("gpt-*", "o3*")
)
GROQ = Provider(name="groq", base_url="https://b/v1", credential=KEY, models=("llama-*", "*-versatile"))
LOCAL = Provider(name="local", base_url="http://127.0.0.1:8000/v1", models=())
CALLERS = Provider(name="callers", base_url="https://c/v1", forward_caller=True, key_source="X_KEY", models=("byo-*",))
KEYLESS = Provider(name="keyless", base_url="https://d/v1", key_source="KEYLESS_API_KEY", models=("dead-*",))

PLAN = Plan(
    providers=(OPENAI, GROQ, LOCAL, CALLERS, KEYLESS),
    models={
        spec.name: spec
        for spec in (
            ModelSpec(name="fast", provider="groq", upstream_name="llama-3-8b", revision="r1", price=PRICE),
            ModelSpec(name="gpt-4o", provider="openai", revision="r2"),
            ModelSpec(name="gpt-priced", price=PRICE, upstream_name="gpt-4.1"),
            ModelSpec(name="meta/llama", provider="groq"),
            ModelSpec(name="astray", provider="nowhere"),
            ModelSpec(name="dead", provider="keyless"),
        )
    },
    routes=(
        Route(name="fast", models=("fast", "groq/*")),
        Route(name="gpt", models=("gpt-*",)),
        Route(name="rest"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("fast", Target(provider=GROQ, model="llama-3-8b", revision="r1", price=PRICE)),
        ("gpt-4o", Target(provider=OPENAI, model="gpt-4o", revision="r2")),
        ("gpt-4o-mini", Target(provider=OPENAI, model="gpt-4o-mini")),
        ("gpt-priced", Target(provider=OPENAI, model="gpt-4.1", price=PRICE)),
        ("llama-3.3-70b-versatile", Target(provider=GROQ, model="llama-3.3-70b-versatile")),
        ("local/qwen3", Target(provider=LOCAL, model="qwen3")),
        ("local/org/model", Target(provider=LOCAL, model="org/model")),
        ("openai/gpt-4o", Target(provider=OPENAI, model="gpt-4o", revision="r2")),
        ("groq/gpt-4o", Target(provider=GROQ, model="gpt-4o")),
        ("groq/fast", Target(provider=GROQ, model="llama-3-8b", revision="r1", price=PRICE)),
        ("meta/llama", Target(provider=GROQ, model="meta/llama")),
        ("byo-1", Target(provider=CALLERS, model="byo-1")),
    ],
)
def test_a_name_stands_for_a_target(model: str, target: Target) -> None:
    assert resolve(model, PLAN) == target


@pytest.mark.parametrize(
    ("model", "status", "code", "says"),
    [
        ("claude-x", 404, "model_not_found", '[models."claude-x"] with provider = "openai"'),
        ("nowhere/model", 404, "model_not_found", '[models."nowhere/model"]'),
        ("openai/", 404, "model_not_found", "openai/"),
        ("", 404, "model_not_found", "offered by no configured provider"),
        ("astray", 503, "provider_not_configured", "[providers.nowhere]"),
        ("dead", 503, "provider_key_missing", "KEYLESS_API_KEY"),
        ("dead-2", 503, "provider_key_missing", "providers.keyless.forward_caller"),
        ("keyless/x", 503, "provider_key_missing", "KEYLESS_API_KEY"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_with_the_key_to_set(
    model: str, status: int, code: str, says: str
) -> None:
    refused = resolve(model, PLAN)
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.code) == (status, code)
    assert says in refused.message


def test_without_any_provider_the_refusal_still_says_what_to_add() -> None:
    refused = resolve("gpt-4o", Plan(providers=()))
    assert isinstance(refused, Refuse)
    assert '[models."gpt-4o"] with provider = "openai"' in refused.message


@given(st.text(max_size=40))
def test_every_name_has_a_target_or_a_reason(model: str) -> None:
    found = resolve(model, PLAN)
    assert found.message if isinstance(found, Refuse) else found.model


@pytest.mark.parametrize(
    ("model", "route"), [("fast", "fast"), ("groq/x", "fast"), ("gpt-4o", "gpt"), ("anything", "rest"), ("", "rest")]
)
def test_the_first_route_that_matches_holds(model: str, route: str) -> None:
    assert route_for(model, PLAN).name == route


def test_without_a_matching_route_the_defaults_hold() -> None:
    assert route_for("x", Plan(providers=(), routes=(Route(name="gpt", models=("gpt-*",)),))) == Route()


def test_a_process_that_is_going_down_takes_no_new_work() -> None:
    request = Request(dialect="chat", model="m", body=b"", fields={}, caller=Caller("s"))
    view = View(plan=PLAN, control=Control(), wall_s=0.0, mono_ns=0, draw=lambda purpose, key: 0.0)
    assert admit(request, view) == Admit()
    refused = admit(
        request, View(plan=PLAN, control=Control(), wall_s=0.0, mono_ns=0, draw=lambda purpose, key: 0.0, draining=True)
    )
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.retry_after_s) == (503, 1)
