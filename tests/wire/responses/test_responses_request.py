"""A request to Responses: what is read of it, what is refused by name, and that nothing of it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pennyworth.decide.key import Keyring
from pennyworth.engine.questions import question_of
from pennyworth.errors import RequestError
from pennyworth.plan import CacheSpec, Provider, Quirks, Target
from pennyworth.request import Caller, Request
from pennyworth.wire import responses
from tests.wire.recorded import Row

KEYRING = Keyring(b"secret")
TARGET = Target(provider=Provider(name="p", base_url="https://p.example/v1"), model="m")


def read(headers: dict[str, str] | None = None, **fields: Any) -> Request:
    body = {"model": "gpt-5-mini", "input": "hello", **fields}
    return responses.read_request(json.dumps(body).encode(), headers or {}, Caller("a"))


def message(content: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": content}


def test_what_a_request_says() -> None:
    asked = read(stream=True)
    assert (asked.dialect, asked.model, asked.stream, asked.wants_usage, asked.n) == (
        "responses", "gpt-5-mini", True, True, 1,
    )  # fmt: skip
    assert responses.PATH == "/responses"
    assert not read().stream


QUESTIONS = [
    ("a text", "hello", "hello"),
    ("a message", [message("hi")], "hi"),
    ("the last of several", [message("one"), message("fine", "assistant"), message("two")], "two"),
    ("before a tool's result", [message("go"), {"type": "function_call_output", "call_id": "c", "output": "9"}], "go"),
    ("parts", [message([{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"}, {"type": "input_text", "text": "b"}])], "a\nb"),
    ("no user", [message("x", "developer")], ""),
    ("parts of odd types", [message([{"type": [], "text": "a"}, 7, {"type": "input_text", "text": 7}])], "a"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "question"), [row[1:] for row in QUESTIONS], ids=[row[0] for row in QUESTIONS])
def test_the_question_is_the_text_of_the_last_user_input(said: Any, question: str) -> None:
    assert responses.question(read(input=said)) == question


def test_the_end_user_is_named_by_the_body_or_by_the_header() -> None:
    assert read(user="ann", safety_identifier="x").end_user == "ann"
    assert read(safety_identifier="x").end_user == "x"
    assert read({"x-pennyworth-user": "bob"}).end_user == "bob"


WRONG = [
    ({"model": 7}, "model"),
    ({"input": None}, "input"),
    ({"input": []}, "input"),
    ({"input": 7}, "input"),
    ({"input": {"role": "user"}}, "input"),
    ({"input": [message("x"), "y"]}, "input[1]"),
    ({"stream": "yes"}, "stream"),
    ({"base_url": "https://x"}, "base_url"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=[json.dumps(row[0])[:40] for row in WRONG])
def test_a_field_of_a_wrong_type_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize("name", ["prompt", "previous_response_id", "conversation"])
def test_no_input_is_needed_where_the_provider_has_it_already(name: str) -> None:
    for said in (None, []):
        assert responses.question(read(input=said, **{name: "x"})) == ""


def test_what_is_the_providers_business_passes() -> None:
    asked = read(background=True, temperature="hot", tools={"a": 1}, store="maybe", text=7)
    assert asked.fields["background"] is True


def test_no_byte_of_it_is_changed_on_the_way() -> None:
    asked = read(stream=True)
    assert responses.edits(asked) == ()
    assert responses.edits(asked, Quirks(leave_out=("input",), cap_field="max_tokens")) == ()


def test_another_model_is_what_would_have_been_sent_for_it() -> None:
    other = responses.renamed(read(instructions="be kind"), "o3")
    assert (other.model, other.fields["model"], json.loads(other.body)["model"]) == ("o3", "o3", "o3")
    assert other.body == read(instructions="be kind", model="o3").body


def test_every_recorded_request_reads_and_has_a_key_of_its_own(recorded: list[Row]) -> None:
    keys: dict[object, set[str]] = {}
    left_out = ("stream", "service_tier", "stream_options")
    for row in recorded:
        assert row.request is not None
        request = responses.read_request(json.dumps(row.request).encode(), {}, Caller("a"))
        assert (request.model, request.stream) == (row.request["model"], bool(row.request.get("stream")))
        assert isinstance(responses.question(request), str)
        key = KEYRING.keys(request, question_of(request, CacheSpec()), TARGET, "", 0)
        assert key is not None, row.id
        asked = {name: value for name, value in row.request.items() if name not in left_out}
        keys.setdefault(key, set()).add(json.dumps(asked, sort_keys=True))
    assert all(len(questions) == 1 for questions in keys.values())
    assert len(keys) > 30
