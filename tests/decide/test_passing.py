"""Who is asked what no dialect knows, by whom, how often, and what is known of its price: rows."""

from __future__ import annotations

from typing import Any

import pytest

from pennyworth.clients import Allowance, Budget
from pennyworth.decide import passing
from pennyworth.decide.admit import Refuse
from pennyworth.outcome import Outcome
from pennyworth.plan import ModelSpec, Plan, Provider, Target
from pennyworth.request import Through
from pennyworth.secret import Secret
from pennyworth.view import Grant


def provider(name: str, *models: str, **more: Any) -> Provider:
    settings: dict[str, Any] = {"credential": Secret("sk"), "key_source": "KEY", "models": models or ("*",), **more}
    return Provider(name=name, base_url="http://a/v1", **settings)


OPENAI = provider("openai", "gpt-*", "whisper-*")
MISTRAL = provider("mistral", "mistral-*")
CLAUDE = provider("claude", "claude-*", dialects=("messages",))
POOR = provider("poor", "poor-*", credential=Secret(""))
ALL = Plan(
    providers=(OPENAI, MISTRAL, CLAUDE, POOR),
    models={"ear": ModelSpec(name="ear", provider="openai", upstream_name="whisper-1")},
)
ONE = Plan(providers=(OPENAI, CLAUDE))


def through(method: str = "POST", **more: Any) -> Through:
    return Through(method=method, path="/x", headers=(), shape=f"{method} /v1/x", **more)


WHERE: list[tuple[str, Plan, dict[str, Any], str]] = [
    ("the only one that takes them", ONE, {}, "openai/other"),
    ("several", ALL, {}, "provider_not_named"),
    ("a model's provider", ALL, {"named": "mistral-ocr"}, "mistral/mistral-ocr"),
    (
        "a model with its provider's name, in JSON",
        ALL,
        {"named": "openai/dall-e-3", "renamable": True},
        "openai/dall-e-3",
    ),
    ("the same in an upload", ALL, {"named": "openai/whisper-1"}, "model_alias"),
    ("a name of ours", ALL, {"named": "ear", "renamable": True}, "openai/whisper-1"),
    ("a name of ours in an upload", ALL, {"named": "ear"}, "model_alias"),
    ("a model nobody has, one taker", ONE, {"named": "dall-e-3"}, "openai/dall-e-3"),
    ("a model nobody has, several", ALL, {"named": "dall-e-3"}, "provider_not_named"),
    ("a model of one that takes none", ALL, {"named": "claude-x"}, "not_passed_through"),
    ("the header", ALL, {"provider": "mistral"}, "mistral/other"),
    ("the header and a model", ALL, {"provider": "mistral", "named": "gpt-4o"}, "mistral/gpt-4o"),
    ("the header, unknown", ALL, {"provider": "http://evil"}, "unknown_provider"),
    ("the header, one that takes none", ALL, {"provider": "claude"}, "not_passed_through"),
    ("no key", ALL, {"provider": "poor"}, "provider_key_missing"),
    ("a model without a key for it", ALL, {"named": "poor-1"}, "provider_key_missing"),
    ("nobody takes any", Plan(providers=(CLAUDE,)), {}, "not_passed_through"),
    ("switched off", Plan(providers=(OPENAI,), pass_through=False), {}, "pass_through_off"),
]


@pytest.mark.parametrize(("plan", "more", "said"), [row[1:] for row in WHERE], ids=[row[0] for row in WHERE])
def test_who_is_asked(plan: Plan, more: dict[str, Any], said: str):
    found = passing.target(through(**more), plan)
    assert (found.code if isinstance(found, Refuse) else found.name) == said


BUDGET = Allowance(budgets=(Budget(period="month", amount="5"),))
LEAVE = Allowance(budgets=BUDGET.budgets, pass_through=True)
NO_LEAVE = Allowance(pass_through=False)
MODELS = Allowance(models=("gpt-*",), pass_through=True)
MAY: list[tuple[str, dict[str, Allowance], str, str]] = [
    ("unbounded", {}, "", ""),
    ("bounded", {"own": BUDGET}, "", "budget_month"),
    ("its team is", {"of_team": BUDGET}, "", "budget_month"),
    ("everybody is", {"of_all": BUDGET}, "", "budget_month"),
    ("with leave", {"own": LEAVE}, "", ""),
    ("its own leave says nothing of the team's bounds", {"own": LEAVE, "of_team": BUDGET}, "", "budget_month"),
    ("forbidden", {"own": NO_LEAVE}, "", "pass_through = false"),
    ("forbidden to the team", {"own": LEAVE, "of_team": NO_LEAVE}, "", "pass_through = false"),
    ("a model it may not ask, with leave", {"own": MODELS}, "dall-e-3", "may ask gpt-*"),
    ("one it may", {"own": MODELS}, "gpt-image-1", ""),
]


@pytest.mark.parametrize(("grant", "named", "said"), [row[1:] for row in MAY], ids=[row[0] for row in MAY])
def test_who_is_bounded_needs_leave(grant: dict[str, Allowance], named: str, said: str):
    no = passing.barred(
        through(named=named), Grant(client="ann", team="t", **grant), Target(provider=OPENAI, model="x")
    )
    assert said in no.message if no else said == "", no


def test_a_key_that_is_no_longer_in_force_passes_nothing_through():
    no = passing.barred(through(), None, Target(provider=OPENAI, model="x"))
    assert no is not None
    assert no.status == 401


COSTS = [
    *[("GET", 200, "", "none"), ("HEAD", 200, "", "none"), ("DELETE", 204, "", "none")],
    *[("POST", 200, "", "unpriced"), ("PUT", 201, "", "unpriced"), ("PATCH", 200, "", "unpriced")],
    *[("POST", 400, "", "none"), ("POST", 500, "", "none"), ("POST", 0, "connect", "none")],
    *[("POST", 0, "reset", "unpriced"), ("POST", 0, "timeout", "unpriced"), ("POST", 200, "cancelled", "unpriced")],
]


@pytest.mark.parametrize(("method", "status", "broke", "basis"), COSTS)
def test_what_nobody_knows_the_price_of_is_unpriced_and_never_nothing(method: str, status: int, broke: Any, basis: str):
    assert passing.basis(through(method), Outcome(ending="complete", status=status, broke=broke)) == basis
