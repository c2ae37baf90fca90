"""Which replies are worth giving again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pennyworth.decide.cacheable import keep, verdict
from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.plan import CacheSpec, Route
from pennyworth.request import Caller, Directives, Request

ROUTE = Route(tools=("add", "look"))
SPEC = CacheSpec(max_answer_bytes=1000)
REQUEST = Request(
    dialect="chat", model="m", body=b"", caller=Caller("s"), fields={"model": "m", "messages": [], "tools": []}
)
WHOLE = Outcome(
    ending="complete",
    status=200,
    raw=b"{}",
    usage=Usage(input=5, output=5),
    finishes=("stop",),
    served_by="m",
)
CALLED = replace(WHOLE, ending="tools", finishes=("tool_calls",), tools=("add",))


def kept(outcome: Outcome, *, request: Request = REQUEST, primary: bool = True) -> tuple[bool, str]:
    found = keep(request, outcome, verdict(request, ROUTE, True), ROUTE, SPEC, target_is_primary=primary)
    return found.kept, found.reason


@pytest.mark.parametrize(
    "outcome",
    [
        WHOLE,
        replace(WHOLE, streamed=True, usage=None, text="hello"),
        replace(WHOLE, usage=None, text="hello"),
        replace(WHOLE, finishes=("STOP",)),
        replace(WHOLE, finishes=("eos",)),
        replace(WHOLE, raw=b"x" * 1000),
        CALLED,
        replace(CALLED, tools=("add", "look", "add")),
        replace(CALLED, ending="complete", finishes=("stop",)),
        replace(CALLED, finishes=("function_call",)),
    ],
)
def test_a_whole_reply_is_kept(outcome: Outcome) -> None:
    assert kept(outcome) == (True, "kept")


def test_an_empty_reply_is_not_kept_also_where_nobody_counted_its_tokens() -> None:
    assert kept(replace(WHOLE, usage=None, text="")) == (False, "the reply is empty")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (replace(WHOLE, status=201), "answered 201"),
        (replace(WHOLE, status=429), "answered 429"),
        (replace(WHOLE, status=500, ending="error"), "answered 500"),
        (replace(WHOLE, status=0, ending="cut"), "did not answer"),
        (replace(WHOLE, fault="trailing bytes"), "trailing bytes"),
        (replace(WHOLE, refusal=True), "declined"),
        (replace(WHOLE, ending="length", finishes=("length",)), "length limit"),
        (replace(WHOLE, ending="filtered", finishes=("content_filter",)), "filter"),
        (replace(WHOLE, ending="cut"), "cut"),
        (replace(WHOLE, ending="error"), "error"),
        (replace(WHOLE, ending="caller_left"), "caller_left"),
        (replace(WHOLE, ending="unknown"), "unknown"),
        (replace(WHOLE, ending="refused"), "refused"),
        (replace(WHOLE, finishes=()), "0 choices"),
        (replace(WHOLE, finishes=("",)), "choice 0"),
        (replace(WHOLE, finishes=("length",)), "choice 0"),
        (replace(WHOLE, finishes=("something new",)), "'something new'"),
        (replace(WHOLE, finishes=("stop", "stop")), "2 choices"),
        (replace(WHOLE, usage=Usage(input=5)), "empty"),
        (replace(WHOLE, server_tools=True), "tools of its own"),
        (replace(WHOLE, served_by="gpt-4o-search-preview"), "searches"),
        (replace(WHOLE, raw=b"x" * 1001), "cache.max_answer_bytes = 1000"),
        (replace(CALLED, tools=("add", "pay")), "tool pay is not among route.tools"),
        (replace(WHOLE, tools=("pay",)), "tool pay"),
        (replace(CALLED, tools=()), "by no name"),
        (replace(WHOLE, finishes=("tool_calls",)), "by no name"),
    ],
)
def test_what_is_not_whole_or_rests_on_more_is_not_kept(outcome: Outcome, reason: str) -> None:
    was_kept, why = kept(outcome)
    assert not was_kept
    assert reason in why


def test_a_fallbacks_answer_is_not_kept_under_the_asked_models_key() -> None:
    was_kept, why = kept(WHOLE, primary=False)
    assert not was_kept
    assert "fallback" in why


@pytest.mark.parametrize(
    ("finishes", "is_kept"),
    [
        (("stop", "stop", "stop"), True),
        (("stop", "stop"), False),
        (("stop", "", "stop"), False),
        (("stop", "length", "stop"), False),
        (("stop", "stop", "stop", "stop"), False),
    ],
)
def test_all_choices_that_were_asked_for_must_be_whole(finishes: tuple[str, ...], is_kept: bool) -> None:
    three = replace(REQUEST, n=3)
    assert kept(replace(WHOLE, finishes=finishes), request=three)[0] is is_kept


def test_what_the_request_forbids_is_not_kept_however_whole() -> None:
    quiet = replace(REQUEST, directives=Directives(no_store=True))
    assert kept(WHOLE, request=quiet) == (False, "Cache-Control: no-store")


def test_a_reply_that_was_asked_for_afresh_is_kept() -> None:
    assert kept(WHOLE, request=replace(REQUEST, directives=Directives(no_cache=True)))[0]
