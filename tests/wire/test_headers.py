"""The HTTP words of a cache, and errors in the caller's dialect."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.request import Directives
from pennyworth.wire.chat.problems import problem, problem_event
from pennyworth.wire.headers import quoted, read_cache_control
from pennyworth.wire.sse import data_of

FOREVER = 2**31

DIRECTIVES = [
    ("", Directives()),
    ("no-cache", Directives(no_cache=True)),
    ("no-store", Directives(no_store=True)),
    ("only-if-cached", Directives(only_if_cached=True)),
    ("max-age=60", Directives(max_age_s=60)),
    ("max-age=0", Directives(max_age_s=0)),
    ("No-Cache, MAX-AGE=5 ,only-if-cached", Directives(no_cache=True, max_age_s=5, only_if_cached=True)),
    ("\tno-store\t,\tno-cache\t", Directives(no_store=True, no_cache=True)),
    (", ,no-cache,,", Directives(no_cache=True)),
    ('max-age="10"', Directives(max_age_s=10)),
    ("max-age = 7", Directives(max_age_s=7)),
    ("max-age=5, max-age=9", Directives(max_age_s=5)),
    ("max-age", Directives(max_age_s=0)),
    ("max-age=", Directives(max_age_s=0)),
    ("max-age=-1", Directives(max_age_s=0)),
    ("max-age=soon", Directives(max_age_s=0)),
    ("max-age=1.5", Directives(max_age_s=0)),
    ("max-age=٣", Directives(max_age_s=0)),
    ("max-age=4294967296", Directives(max_age_s=FOREVER)),
    ("max-age=" + "9" * 5000, Directives(max_age_s=FOREVER)),
    ("max-stale", Directives(max_stale_s=FOREVER)),
    ("max-stale=30", Directives(max_stale_s=30)),
    ("max-stale=soon", Directives()),
    ('no-cache="set-cookie, x-y"', Directives(no_cache=True)),
    ('private="a, no-store", max-age=3', Directives(max_age_s=3)),
    ('x="a \\", no-store", no-cache', Directives(no_cache=True)),
    ('a="b, no-store', Directives(no_store=True)),
    ('"no-store"', Directives()),
    ("no-cacheable, xno-store, no-store-x", Directives()),
    ("min-fresh=5, no-transform, stale-if-error=9, immutable", Directives()),
    ("x=no-store", Directives()),
]


@pytest.mark.parametrize(("value", "directives"), DIRECTIVES, ids=[row[0][:30] for row in DIRECTIVES])
def test_cache_control_is_read_as_rfc_9111_asks(value: str, directives: Directives) -> None:
    assert read_cache_control(value) == directives


@given(st.text(max_size=40), st.sampled_from(["no-store", "no-cache", "only-if-cached"]))
def test_a_directive_after_anything_unquoted_is_obeyed(before: str, word: str) -> None:
    found = read_cache_control(before.replace('"', "") + "," + word)
    assert getattr(found, word.replace("-", "_"))


def test_a_header_made_to_be_slow_is_not() -> None:
    for value in (
        'a="' * 20_000,
        "," * 60_000,
        "a=\\" * 20_000,
        " " * 60_000 + "x",
        '"' * 60_000,
        '"' + '\\"' * 30_000,
    ):
        read_cache_control(value)


@pytest.mark.parametrize(
    ("text", "string"),
    [("", '""'), ("hit", '"hit"'), ('a"b\\c', '"a\\"b\\\\c"'), ("é\r\n", '"???"'), ("~ !", '"~ !"'), ("\x7f", '"?"')],
)
def test_a_detail_is_a_structured_field_string(text: str, string: str) -> None:
    assert quoted(text) == string


PROBLEMS = [(400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error"), (404, "invalid_request_error"), (408, "timeout_error"), (413, "invalid_request_error"), (418, "invalid_request_error"), (429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (529, "api_error")]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), PROBLEMS)
def test_a_problem_is_an_error_in_openais_form(status: int, kind: str) -> None:
    error = {"message": "Ask again.", "type": kind, "param": "n", "code": "x"}
    assert json.loads(problem(status, "Ask again.", code="x", param="n")) == {"error": error}
    assert json.loads(data_of(problem_event(status, "Ask again."))) == {"error": {**error, "param": None, "code": None}}


def test_a_problem_that_quotes_half_a_character_gets_through() -> None:
    assert json.loads(problem(400, "'\ud800' is odd"))["error"]["message"] == "'\ud800' is odd"
