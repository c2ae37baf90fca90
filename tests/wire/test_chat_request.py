"""Reading a request: wrong types are refused by name, with the value and the fix; everything else passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pennyworth.errors import RequestError
from pennyworth.request import Caller, Directives, Request
from pennyworth.wire.chat.request import question, read_request

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


def read(fields: dict[str, Any], headers: dict[str, str] | None = None) -> Request:
    body = json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()
    return read_request(body, headers or {}, Caller("a"))


def refused(fields: dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(fields)
    assert caught.value.status == 400
    caught.value.message.encode()
    return caught.value


WRONG = [
    ({"model": None}, "model", "model is missing", "the name of a model is needed"),
    ({"model": ""}, "model", "model: ''", '"gpt-4o-mini"'),
    ({"model": 4}, "model", "model: 4", "the name of a model is needed"),
    ({"model": True}, "model", "model: true", "the name of a model is needed"),
    ({"model": ["gpt"]}, "model", "an array of 1", "the name of a model is needed"),
    ({"model": {"name": "gpt"}}, "model", "an object of 1", "the name of a model is needed"),
    ({"model": "m" * 257}, "model", "mmm…'", "the name of a model is needed"),
    ({"model": "gpt\r\nx-evil: 1"}, "model", "'gpt\\r\\nx-evil: 1'", "the name of a model is needed"),
    ({"model": "gpt\x00"}, "model", "'gpt\\x00'", "the name of a model is needed"),
    ({"model": "\ud800"}, "model", "'\\ud800'", "the name of a model is needed"),
    ({"messages": None}, "messages", "messages is missing", "a list with at least one message"),
    ({"messages": []}, "messages", "an array of 0", "a list with at least one message"),
    ({"messages": {}}, "messages", "an object of 0", "a list with at least one message"),
    ({"messages": "hello"}, "messages", "'hello'", "a list with at least one message"),
    ({"messages": ["hello"]}, "messages[0]", "'hello'", "an object with role and content"),
    ({"messages": [MESSAGES[0], None]}, "messages[1]", "is missing", "an object with role and content"),
    ({"messages": [MESSAGES[0], [1]]}, "messages[1]", "an array of 1", "an object with role and content"),
    ({"stream": "true"}, "stream", "'true'", "true or false"),
    ({"stream": 1}, "stream", "stream: 1", "true or false"),
    ({"stream": []}, "stream", "an array of 0", "true or false"),
    ({"stream_options": True}, "stream_options", "true", "an object"),
    ({"stream_options": "x" * 100}, "stream_options", "xxx…'", "an object"),
    ({"n": 0}, "n", "n: 0", "a whole number from 1 to 1024"),
    ({"n": -1}, "n", "n: -1", "a whole number from 1"),
    ({"n": 1025}, "n", "n: 1025", "a whole number from 1"),
    ({"n": 1.5}, "n", "n: 1.5", "a whole number from 1"),
    ({"n": True}, "n", "n: true", "a whole number from 1"),
    ({"n": "2"}, "n", "n: '2'", "a whole number from 1"),
    ({"n": 10**4000}, "n", "0000…", "a whole number from 1"),
    ({"n": list(range(10_000))}, "n", "an array of 10000", "a whole number from 1"),
]


@pytest.mark.parametrize(("fields", "param", "shown", "fix"), WRONG, ids=[f"{row[1]} {row[2]}"[:40] for row in WRONG])
def test_a_wrong_type_is_refused_with_field_value_and_fix(
    fields: dict[str, Any], param: str, shown: str, fix: str
) -> None:
    error = refused(fields)
    assert (error.code, error.param) == ("invalid_value", param)
    assert shown in error.message
    assert fix in error.message
    assert len(error.message) < 250


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key"])
def test_nobody_chooses_by_the_body_who_is_asked_or_with_what_key(name: str) -> None:
    error = refused({name: "sk-very-secret"})
    assert error.param == name
    assert "configuration" in error.message
    assert "sk-very-secret" not in error.message
    assert refused({name: None}).param == name


def test_a_number_is_shown_as_it_was_written() -> None:
    body = b'{"model":"m","messages":[{}],"n":1.50}'
    with pytest.raises(RequestError, match=r"n: 1\.50 cannot be used"):
        read_request(body, {}, Caller("a"))


READ: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"stream": False, "wants_usage": False, "n": 1, "end_user": "", "unkeyed": "", "tags": (), "vary": ()}),
    ({"stream": True}, {"stream": True, "wants_usage": False}),
    ({"stream": None, "n": None, "stream_options": None, "user": None}, {"stream": False, "n": 1, "end_user": ""}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"wants_usage": True}),
    ({"stream": True, "stream_options": {"include_usage": False}}, {"wants_usage": False}),
    ({"stream": True, "stream_options": {"include_usage": 1}}, {"wants_usage": False}),
    ({"n": 1024}, {"n": 1024}),
    ({"user": "u-1"}, {"end_user": "u-1"}),
    ({"user": {"id": 1}}, {"end_user": ""}),
    ({"model": "meta/Llama-3.1 70B:free@中"}, {"model": "meta/Llama-3.1 70B:free@中"}),
    ({"temperature": "hot", "tools": 7, "max_tokens": [], "whatever": {}}, {"unkeyed": ""}),
    ({"messages": [{"content": 7}, {}, {"role": None}]}, {"unkeyed": ""}),
]


@pytest.mark.parametrize(("fields", "found"), READ)
def test_what_we_do_not_act_on_is_the_providers_business(fields: dict[str, Any], found: dict[str, Any]) -> None:
    request = read(fields)
    assert {name: getattr(request, name) for name in found} == found


def test_the_callers_bytes_are_kept_as_they_came() -> None:
    body = b' { "messages" : [ { "content" : 1.50 } ] , "model":"m\\u0041" } \n'
    request = read_request(body, {}, Caller("a"))
    assert request.body == body
    assert request.model == "mA"


def test_an_odd_body_says_why_it_has_no_key() -> None:
    body = b'{"model":"m","messages":[{"content":"x","content":"y"}]}'
    assert "a key twice" in read_request(body, {}, Caller("a")).unkeyed


def test_the_depth_limit_is_the_operators() -> None:
    body = b'{"model":"m","messages":[{"content":[[[]]]}]}'
    assert read_request(body, {}, Caller("a"), max_depth=6).model == "m"
    with pytest.raises(RequestError, match="deeper than 5 levels"):
        read_request(body, {}, Caller("a"), max_depth=5)


TAGS = [
    ("", ()),
    ("a", ("a",)),
    ("b, a ,,a", ("a", "b")),
    (",".join(f"t{i:02}" for i in range(16)), tuple(f"t{i:02}" for i in range(16))),
    ("x" * 128, ("x" * 128,)),
]


@pytest.mark.parametrize(("header", "tags"), TAGS)
def test_tags_are_a_list_in_a_header(header: str, tags: tuple[str, ...]) -> None:
    assert read({}, {"x-pennyworth-tags": header}).tags == tags


@pytest.mark.parametrize("header", [",".join(f"t{i}" for i in range(17)), "x" * 129])
def test_too_many_or_too_long_tags_are_refused(header: str) -> None:
    with pytest.raises(RequestError, match="x-pennyworth-tags: at most 16 tags of 128 characters"):
        read({}, {"x-pennyworth-tags": header})


def test_headers_that_change_answers_are_part_of_the_request() -> None:
    body = json.dumps({"model": "m", "messages": MESSAGES}).encode()
    headers = {"openai-beta": "x", "accept": "y", "cache-control": "no-store"}
    request = read_request(body, headers, Caller("a"), vary=("openai-project", "openai-beta"))
    assert request.vary == (("openai-beta", "x"),)
    assert request.directives == Directives(no_store=True)


QUESTIONS: list[tuple[list[Any], str]] = [
    (MESSAGES, "hello"),
    ([*MESSAGES, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "and now?"}], "and now?"),
    ([*MESSAGES, {"role": "assistant", "content": "hi"}], "hello"),
    ([{"role": "system", "content": "be kind"}], ""),
    ([{"role": "user"}], ""),
    ([{"role": "user", "content": None}], ""),
    ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}, 7]}], "a\nb"),
    ([{"role": "user", "content": [{"text": 7}]}], ""),
    ([{"role": ["user"], "content": "x"}], ""),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "text"), QUESTIONS)
def test_the_question_is_the_last_user_turn(messages: list[Any], text: str) -> None:
    assert question(read({"messages": messages})) == text
