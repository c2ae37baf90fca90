"""Laws of translation, over conversations of every dialect."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennyworth import canonical
from pennyworth.errors import RequestError
from pennyworth.request import Dialect
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.translate import Translated, plain_form, request_into
from tests.wire.conversations import bodies, damaged
from tests.wire.meanings import asked, leaves, request_in

pairs = pytest.mark.parametrize(("origin", "into"), list(permutations(SPEAKERS, 2)))
calmly = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=40
)

EVERYTHING = (
    "cache_control", "detail", "file", "frequency_penalty", "input_audio", "is_error", "metadata", "n", "prefill",
    "previous_response_id", "reasoning_content", "reasoning_effort", "response_format", "seed", "stop", "stop_sequences",
    "store", "summary", "temperature", "text", "thinking", "title", "top_k", "user", "verbosity", "web_search",
    "defer_loading", "image", "document", "redacted_thinking", "effort",
)  # fmt: skip


def translated(
    body: dict[str, Any], origin: Dialect, into: Dialect, drop: tuple[str, ...] = ()
) -> Translated | RequestError:
    try:
        return request_into(request_in(origin, body), into, drop)
    except RequestError as error:
        return error


@pytest.mark.parametrize("dialect", SPEAKERS)
@given(data=st.data())
@calmly
def test_what_is_read_can_be_written_again(dialect: Dialect, data: st.DataObject) -> None:
    body = data.draw(bodies[dialect])
    speaker = SPEAKERS[dialect]
    assert canonical.encode(speaker.fields_of(speaker.prompt_of(body))) == canonical.encode(body)


@pairs
@given(data=st.data())
@calmly
def test_what_is_carried_asks_the_same_there_and_back(origin: Dialect, into: Dialect, data: st.DataObject) -> None:
    body = data.draw(bodies[origin])
    there = translated(body, origin, into)
    if isinstance(there, RequestError):
        return
    assert not there.dropped
    back = request_into(there.request, origin)
    assert asked(back.request) == asked(request_in(origin, body))


@pairs
@given(data=st.data())
@calmly
def test_no_text_is_lost_in_silence(origin: Dialect, into: Dialect, data: st.DataObject) -> None:
    """What is there may be dropped, and then it is named; nothing else goes."""
    body = data.draw(bodies[origin])
    there = translated(body, origin, into, EVERYTHING)
    if isinstance(there, RequestError):
        assert there.param
        return
    lost = {text for text in leaves(body) if text.startswith("mark")} - set(leaves(json.loads(there.request.body)))
    assert not lost or there.dropped
    refused = translated(body, origin, into)
    assert isinstance(refused, RequestError) == bool(there.dropped)


@pairs
@given(data=st.data())
@calmly
def test_what_is_refused_is_named_by_where_it_stands(origin: Dialect, into: Dialect, data: st.DataObject) -> None:
    body = data.draw(bodies[origin])
    refused = translated(body, origin, into)
    if isinstance(refused, Translated):
        return
    assert (refused.status, refused.code) == (400, "cannot_translate")
    assert refused.param
    assert refused.param.partition("[")[0].partition(".")[0] in body


@pytest.mark.parametrize("dialect", SPEAKERS)
@given(data=st.data())
@calmly
def test_whatever_a_body_holds_it_is_read_and_written_and_nothing_but_a_refusal_comes_of_it(
    dialect: Dialect, data: st.DataObject
) -> None:
    body = data.draw(damaged(data.draw(bodies[dialect])))
    speaker = SPEAKERS[dialect]
    assert canonical.encode(speaker.fields_of(speaker.prompt_of(body))) == canonical.encode(body)
    assert speaker.completion_of(body) is None
    for into in SPEAKERS:
        if into != dialect:
            translated(body, dialect, into, EVERYTHING)
    messages = body.get("messages", [])
    if isinstance(messages, list) and all(
        isinstance(message, dict) for message in messages
    ):  # else the door refuses it
        plain_form(request_in(dialect, body))
