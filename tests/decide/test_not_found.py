"""404 in words: rows of body and what a caller reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.not_found import not_found
from pennyworth.decide.trouble import explain
from pennyworth.outcome import Outcome
from pennyworth.plan import Provider, Target
from pennyworth.secret import Secret

TARGET = Target(provider=Provider(name="own", base_url="http://gpu:8000/v1", credential=Secret("sk-1")), model="sql")
SAID = "The model `sql` does not exist."

ROWS = [
    ("vLLM", {"error": {"message": SAID, "type": "NotFoundError", "param": "model", "code": 404}}, "model_not_found"),
    ("vLLM, older", {"object": "error", "message": SAID, "type": "NotFoundError", "code": 404}, "model_not_found"),
    ("Ollama", {"error": {"message": "model 'sql' not found", "type": "not_found_error"}}, "model_not_found"),
    ("a server without /v1", {"detail": "Not Found"}, "upstream_not_found"),
    ("OpenAI", {"error": {"code": "model_not_found", "message": SAID, "type": "invalid_request_error"}}, ""),
    ("an error that is a text", {"error": "no such model"}, ""),
]


@pytest.mark.parametrize(("body", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_404_says_whether_the_model_or_the_address_is_wrong(body: dict[str, object], code: str) -> None:
    told = not_found(json.dumps(body).encode(), TARGET)
    assert (told[0] if told else "") == code


def test_the_model_that_is_missing_is_named_with_where_to_look() -> None:
    told = explain(Outcome(ending="error", status=404, raw=json.dumps(ROWS[0][1]).encode()), TARGET)
    assert (told.status, told.code, told.body) == (404, "model_not_found", b"")
    assert told.message == (
        "own/sql: the server has no model of this name (The model `sql` does not exist.). It lists those it has at "
        "http://gpu:8000/v1/models, a LoRA adapter under its own name once it is loaded. "
        'Check models."sql" and providers.own.models.'
    )


def test_a_page_that_is_not_json_is_an_address_that_is_wrong() -> None:
    told = explain(Outcome(ending="error", status=404, raw=b"<html>404 sk-1</html>"), TARGET)
    assert told.code == "upstream_not_found"
    assert "Is the version missing" in told.message


def test_the_words_of_a_company_are_passed_on() -> None:
    raw = json.dumps(ROWS[4][1]).encode()
    assert explain(Outcome(ending="error", status=404, raw=raw), TARGET).body == raw


@given(st.binary(max_size=200))
def test_no_body_is_too_odd(raw: bytes) -> None:
    told = not_found(raw, TARGET)
    assert told is None or told[0] in ("upstream_not_found", "model_not_found")
