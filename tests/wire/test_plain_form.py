"""The form of a question that every dialect shares: never one for two questions, and cheap where it is the body itself."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennyworth import canonical
from pennyworth.decide.key import LEFT_OUT
from pennyworth.errors import RequestError
from pennyworth.request import Dialect, Request
from pennyworth.wire.neutral.nouns import Prompt
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.translate import plain_form, request_into
from tests.wire.conversations import bodies
from tests.wire.meanings import asked, request_in
from tests.wire.recorded_dialects import recorded_in

calmly = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=60
)

ASKED: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
    "max_tokens": 64,
    "temperature": 0.5,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}},
}


def form(request: Request) -> bytes | None:
    """What goes into a key: without how a reply travels and who asks."""
    plain = plain_form(request)
    if plain is None:
        return None
    return canonical.encode({name: value for name, value in plain.items() if name not in LEFT_OUT})


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_no_key_holds_does_not_make_another_form(name: str) -> None:
    values = {"stream": True, "stream_options": {"include_usage": True}, "metadata": {"trace": "1"}}
    for change in ({}, {"max_completion_tokens": 64, "max_tokens": ...}):
        asked = _changed(change)
        assert (
            form(request_in("chat", {**asked, name: values.get(name, "x")}))
            == form(request_in("chat", asked))
            is not None
        )


def test_a_plain_question_is_its_own_form_and_is_not_copied() -> None:
    request = request_in("chat", {**ASKED, "stream": True, "stream_options": {"include_usage": True}, "tools": [TOOL]})
    assert plain_form(request) is request.fields


@pytest.mark.parametrize("into", ["messages", "responses"])
def test_one_question_has_one_form_in_every_dialect(into: Dialect) -> None:
    request = request_in("chat", {**ASKED, "tools": [TOOL]})
    assert form(request_into(request, into).request) == form(request)


SAME: list[dict[str, Any]] = [
    {"messages": [ASKED["messages"][0], {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]},
    {"max_completion_tokens": 64, "max_tokens": ...},
    {"stop": []},
    {"response_format": {"type": "text"}},
]


@pytest.mark.parametrize("change", SAME)
def test_what_is_put_in_another_way_is_the_same_question(change: dict[str, Any]) -> None:
    assert form(request_in("chat", _changed(change))) == form(request_in("chat", ASKED))


NONE: list[dict[str, Any]] = [
    {"seed": 1},
    {"n": 2},
    {"logprobs": True},
    {"unheard_of": 1},
    {"temperature": 1.5},
    {"temperature": None},
    {"reasoning_effort": "low"},
    {"response_format": {"type": "json_object"}},
    {"max_completion_tokens": 65},
    {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Why?"}]},
    {"messages": [{"role": "user", "content": "Why?"}, {"role": "system", "content": "Be brief."}]},
    {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because"}]},
    {"messages": [{"role": "user", "content": "Why?", "name": "Ann"}]},
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral"}}]}
        ]
    },
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://host/1.png"}}]}]},
    {"messages": [{"role": "user", "content": "Why?"}, ASKED["messages"][0], {"role": "user", "content": "So?"}]},
    {"messages": []},
    {"messages": [{"role": "user"}]},
    {"tools": [{"type": "web_search"}]},
]


@pytest.mark.parametrize("change", NONE)
def test_what_one_dialect_alone_can_say_has_no_plain_form(change: dict[str, Any]) -> None:
    assert plain_form(request_in("chat", _changed(change))) is None


def test_a_tool_that_failed_has_no_plain_form() -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "gone"}
    plain, failed = (
        {"model": "m", "max_tokens": 9, "messages": [ASKED["messages"][1], call, {"role": "user", "content": [block]}]}
        for block in (result, {**result, "is_error": True})
    )
    assert plain_form(request_in("messages", plain)) is not None
    assert plain_form(request_in("messages", failed)) is None


def test_arguments_that_must_fit_their_schema_make_another_question() -> None:
    strict = {**TOOL, "function": {**TOOL["function"], "strict": True}}
    forms = {form(request_in("chat", {**ASKED, "tools": [tool]})) for tool in (TOOL, strict)}
    assert None not in forms
    assert len(forms) == 2


def test_what_is_to_be_stored_at_the_provider_has_no_plain_form() -> None:
    body = {"model": "m", "input": "Why?"}
    assert plain_form(request_in("responses", body)) is None
    assert plain_form(request_in("responses", {**body, "store": False})) is not None


@pytest.mark.parametrize(("one", "other"), list(permutations(SPEAKERS, 2)))
@given(data=st.data())
@calmly
def test_two_requests_of_one_form_are_each_the_translation_of_the_other(
    one: Dialect, other: Dialect, data: st.DataObject
) -> None:
    """One is drawn; the other is its translation with one value somewhere changed."""
    request = request_in(one, data.draw(bodies[one]))
    try:
        there = request_into(request, other)
    except RequestError:
        return
    changed = request_in(other, data.draw(_with_one_change(dict(there.request.fields))))
    if form(request) is None or form(request) != form(changed):
        return
    assert _question(request_into(request, other).request) == _question(changed)
    assert _question(request_into(changed, one).request) == _question(request)


@given(body=bodies["chat"])
@calmly
def test_the_short_way_and_the_long_way_give_one_form(body: dict[str, Any]) -> None:
    """A body that is its own form, with one text put as a list of one, has to be read and written."""
    request = request_in("chat", body)
    if plain_form(request) is not request.fields:
        return
    *others, last = body["messages"]
    longer = {**last, "content": [{"type": "text", "text": last["content"]}]}
    assert form(request_in("chat", {**body, "messages": [*others, longer]})) == form(request)


@pytest.mark.parametrize("dialect", SPEAKERS)
def test_recorded_requests_of_one_form_ask_the_same(dialect: Dialect) -> None:
    found: dict[bytes, Request] = {}
    for row in recorded_in(dialect):
        request = request_in(dialect, row.request) if row.request else None
        key = form(request) if request else None
        if request and key is not None:
            assert _question(found.setdefault(key, request)) == _question(request), row.id


@st.composite
def _with_one_change(draw: st.DrawFn, body: Any) -> Any:
    """The same with one value in it changed, taken out, or added."""
    match body:
        case dict() if body and draw(st.integers(0, 5)):
            name = draw(st.sampled_from(sorted(body)))
            if draw(st.integers(0, 9)) == 0:
                return {key: value for key, value in body.items() if key != name}
            return {**body, name: draw(_with_one_change(body[name]))}
        case dict():
            return {
                **body,
                draw(st.sampled_from(("name", "strict", "detail", "top_k"))): draw(st.sampled_from((1, "x", True))),
            }
        case list() if body:
            place = draw(st.integers(0, len(body) - 1))
            if draw(st.integers(0, 9)) == 0:
                return [*body[:place], *body[place + 1 :]]
            return [*body[:place], draw(_with_one_change(body[place])), *body[place + 1 :]]
        case bool():
            return not body
        case int() | float():
            return draw(st.sampled_from((0, 1, 2)))
        case str():
            return draw(st.sampled_from((body + ".", "user", "assistant", "auto", "")))
    return body


def _question(request: Request) -> Prompt:
    return msgspec.structs.replace(asked(request), stream=False, user=None)


def _changed(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**ASKED, **change}.items() if value is not ...}
