"""Which models a caller may ask, and what it is told of those it may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.clients import Allowance
from pennyworth.decide import admit, glob
from pennyworth.decide.allowed import may_ask, offered, refusal
from pennyworth.plan import ModelSpec, Plan, Provider
from pennyworth.view import Grant

ANY, SMALL, GPT = Allowance(), Allowance(models=("small", "own/*")), Allowance(models=("gpt-*",))


@pytest.mark.parametrize(
    ("grant", "model", "target", "allowed"),
    [
        (Grant(), "anything", "", True),
        (Grant(own=SMALL), "small", "", True),
        (Grant(own=SMALL), "large", "", False),
        (Grant(own=SMALL), "large", "own/large", True),
        (Grant(own=SMALL), "large", "openai/large", False),
        (Grant(own=SMALL), "Small", "", False),
        (Grant(own=SMALL), "small ", "", False),
        (Grant(own=SMALL), "openai/small", "openai/small", False),
        (Grant(of_team=GPT), "gpt-4o", "", True),
        (Grant(own=SMALL, of_team=GPT), "small", "own/small", False),
        (Grant(own=GPT, of_all=Allowance(models=("*-mini",))), "gpt-4o", "", False),
        (Grant(own=GPT, of_all=Allowance(models=("*-mini",))), "gpt-4o-mini", "", True),
        (Grant(own=Allowance(models=("gpt-*", "*"))), "x", "", True),
    ],
)
def test_key_team_and_everybody_must_all_allow_a_model_by_one_of_its_names(grant, model, target, allowed):
    assert may_ask(grant, model, target) is allowed


patterns = st.lists(st.sampled_from(["*", "a*", "*b", "ab", "p/*", "a"]), min_size=1, max_size=2).map(tuple)
models = st.sampled_from(["a", "b", "ab", "p/a", "q/b", ""])


@given(patterns, patterns, patterns, models, models)
def test_what_is_allowed_is_what_all_three_match(own, of_team, of_all, model, target):
    each = (own, of_team, of_all)
    grant = Grant(**{name: Allowance(models=one) for name, one in zip(("own", "of_team", "of_all"), each, strict=True)})
    matched = [glob.any_matches(one, model) or (target and glob.any_matches(one, target)) for one in each]
    assert may_ask(grant, model, target) == all(matched) or grant.any_model
    assert grant.any_model == all("*" in one for one in each)


def test_a_refusal_names_what_is_allowed_instead():
    refused = refusal(Grant(own=SMALL, of_team=GPT, team="search"), "large", "openai/large")
    assert (refused.status, refused.code) == (403, "model_not_allowed")
    assert "'large' is not allowed. This key may ask small, own/*; The team 'search' may ask gpt-*." in refused.message
    assert refusal(Grant(), "large", "") is None


def test_a_caller_who_is_no_tenant_any_more_goes_no_further():
    refused = refusal(None, "small", "own/small")
    assert (refused.status, refused.code) == (401, "invalid_api_key")


PLAN = Plan(
    providers=(
        Provider(name="openai", base_url="https://a/v1", models=("gpt-*", "o3")),
        Provider(name="own", base_url="https://b/v1", models=("small", "large")),
    ),
    models={
        "cheap": ModelSpec(name="cheap", provider="openai", upstream_name="gpt-4o-mini"),
        "free": ModelSpec(name="free"),
    },
)


@pytest.mark.parametrize(
    ("grant", "names"),
    [
        (Grant(), {"cheap": "openai", "free": "pennyworth", "o3": "openai", "small": "own", "large": "own"}),
        (Grant(own=SMALL), {"small": "own", "large": "own"}),
        (Grant(own=Allowance(models=("gpt-4o", "gpt-*", "nowhere"))), {"gpt-4o": "openai"}),
        (Grant(own=Allowance(models=("openai/*",))), {"cheap": "openai", "o3": "openai"}),
        (Grant(of_all=Allowance(models=("none",))), {}),
    ],
)
def test_the_models_offered_are_those_that_can_be_named_and_asked(grant, names):
    assert offered(grant, PLAN) == names


some = st.lists(st.sampled_from(["*", "gpt-*", "o3", "small", "own/*", "cheap", "openai/gpt-4o", "x"]), min_size=1).map(
    tuple
)


@given(some, some)
def test_what_is_offered_may_be_asked(own, of_all):
    grant = Grant(own=Allowance(models=own), of_all=Allowance(models=of_all))
    for name in offered(grant, PLAN):
        target = admit.resolve(name, PLAN)
        assert not isinstance(target, admit.Refuse) or name in PLAN.models
        assert refusal(grant, name, "" if isinstance(target, admit.Refuse) else target.name) is None
