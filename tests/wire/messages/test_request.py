"""What is read of a request to Messages, and what is refused by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pennyworth.errors import RequestError
from pennyworth.plan import Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import messages

ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}


def read(headers: dict[str, str] | None = None, **change: Any) -> Request:
    body = {name: value for name, value in {**ASK, **change}.items() if value != "absent"}
    return messages.read_request(json.dumps(body).encode(), headers or {}, Caller("s"), vary=("anthropic-beta",))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": "absent"}, "model"),
        ({"model": 5}, "model"),
        ({"messages": "absent"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "64"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"api_key": "sk"}, "api_key"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(**change)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_without_a_cap_the_provider_may_say_what_it_thinks_of_that() -> None:
    assert read(max_tokens="absent").n == 1


def test_the_end_user_is_whom_the_metadata_name_else_the_header() -> None:
    headers = {"x-pennyworth-user": "header"}
    assert read(headers, metadata={"user_id": "body"}).end_user == "body"
    for metadata in ("absent", {}, {"user_id": None}, {"user_id": 7}, "odd", None):
        assert read(headers, metadata=metadata).end_user == "header"


def test_headers_that_change_answers_and_directives_are_read() -> None:
    headers = {"anthropic-beta": "a", "cache-control": "no-store", "idempotency-key": "k", "x-pennyworth-tags": "t"}
    request = read(headers)
    assert request.vary == (("anthropic-beta", "a"),)
    assert (request.directives.no_store, request.once, request.tags) == (True, "k", ("t",))


USER, ASSISTANT = {"role": "user"}, {"role": "assistant", "content": "hm"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "sunny"}


@pytest.mark.parametrize(
    ("turns", "question"),
    [
        ([{**USER, "content": "a"}], "a"),
        ([{**USER, "content": "a"}, ASSISTANT, {**USER, "content": "b"}, ASSISTANT], "b"),
        ([{**USER, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{**USER, "content": "a"}, ASSISTANT, {**USER, "content": [RESULT]}], "a"),
        ([{**USER, "content": "a"}, ASSISTANT, {**USER, "content": [RESULT, {"type": "text", "text": "b"}]}], "b"),
        ([{**USER, "content": "a"}, {**USER, "content": [{"type": "image", "source": {}}]}], ""),
        ([{**USER, "content": None}], ""),
        ([ASSISTANT], ""),
    ],
)
def test_the_question_is_the_last_thing_the_user_said(turns: list[Any], question: str) -> None:
    assert messages.question(read(messages=turns)) == question


def test_only_what_a_provider_would_refuse_is_left_out() -> None:
    request = read(top_k=4, stream=True)
    assert messages.edits(request) == ()
    assert messages.edits(request, Quirks(leave_out=("top_k", "thinking"))) == (
        Edit("top_k", b"", "this provider refuses the field"),
    )
