"""Embeddings requests: what is read of them, what is refused, and the same request for some of its items."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.errors import RequestError
from pennyworth.plan import Quirks
from pennyworth.request import Caller, Request
from pennyworth.wire import embeddings
from pennyworth.wire.embeddings.items import items_in, subset

CALLER = Caller("local")


def read(body: dict[str, Any] | bytes, **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return embeddings.read_request(raw, headers, CALLER)


@pytest.mark.parametrize(
    ("given_", "items"),
    [
        ("one", ["one"]),
        (["one"], ["one"]),
        (["one", "two", "one"], ["one", "two", "one"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        (["a", [1]], ["a", [1]]),
        ([""], [""]),
    ],
)
def test_the_items_are_counted_whatever_their_shape(given_: Any, items: list[Any]) -> None:
    request = read({"model": "m", "input": given_, "user": "u", "stream": True})
    assert items_in(request.fields) == items
    assert (request.dialect, request.model, request.n, request.end_user) == ("embeddings", "m", len(items), "u")
    assert (request.stream, request.wants_usage, request.unkeyed) == (False, False, "")


@pytest.mark.parametrize(
    ("given_", "param"),
    [
        (None, "input"),
        ("", "input"),
        ([], "input"),
        (3, "input"),
        ({"text": "a"}, "input"),
        (["a", 1], "input[1]"),
        ([1, "a"], "input[1]"),
        ([1, True], "input[1]"),
        ([1, 2.5], "input[1]"),
        (["a", None], "input[1]"),
        ([[1], []], "input[1]"),
        ([[1, "a"]], "input[0]"),
    ],
)
def test_an_input_of_no_such_shape_is_refused_by_its_name(given_: Any, param: str) -> None:
    with pytest.raises(RequestError) as refused:
        read({"model": "m", "input": given_})
    assert (refused.value.param, refused.value.code) == (param, "invalid_value")


@pytest.mark.parametrize(("body", "param"), [({"input": "a"}, "model"), ({"model": "m", "api_key": "k"}, "api_key")])
def test_a_body_that_names_no_model_or_somebody_else_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(body)
    assert refused.value.param == param


def test_objects_are_for_the_provider_to_judge_and_have_no_key() -> None:
    assert "object" in read({"model": "m", "input": ["a", {"image": "https://example.com"}]}).unkeyed


def test_fields_that_a_provider_refuses_are_left_out() -> None:
    request = read({"model": "m", "input": "a", "user": "u"})
    assert embeddings.edits(request) == ()
    (edit,) = embeddings.edits(request, Quirks(leave_out=("user", "dimensions")))
    assert (edit.field, edit.value) == ("user", b"")


ITEMS = st.lists(st.text(max_size=5) | st.lists(st.integers(0, 10**6), min_size=1, max_size=3), min_size=1, max_size=6)


@given(ITEMS, st.data(), st.sampled_from([None, 1]), st.sampled_from([", ", ","]), st.booleans())
def test_a_subset_differs_in_its_input_alone(
    items: list[Any], data: st.DataObject, indent: int | None, comma: str, ascii_only: bool
) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(items))), min_size=1, unique=True))
    body = {"a": [1.50, {"input": ["x"]}], "model": "m", "input": items, "z": "\u00e9\n"}
    raw = json.dumps(body, indent=indent, separators=(comma, " :"), ensure_ascii=ascii_only).encode()
    part = subset(read(raw), places)
    chosen = [items[place] for place in places]
    assert json.loads(part.body) == {**body, "input": chosen}
    assert items_in(part.fields) == chosen
    assert part.n == len(places)
    given_ = json.dumps(items, indent=indent, separators=(comma, " :"), ensure_ascii=ascii_only)
    if indent is None:
        before, after = raw.split(b'"input" :' + given_.encode())
        assert part.body.startswith(before)
        assert part.body.endswith(after)


@pytest.mark.parametrize("item", [rb'"\u00e9\/"', '"é/"'.encode(), b"[ 1,2 ]"])
def test_an_item_is_sent_in_the_bytes_it_came_in(item: bytes) -> None:
    part = subset(read(b'{"model":"m","input":["a", %b ]}' % item), [1])
    assert part.body == b'{"model":"m","input":[%b]}' % item
