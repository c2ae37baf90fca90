"""Bodies of so many members that dealing with each would hold everybody up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.engine.questions import question_of
from pennyworth.errors import RequestError
from pennyworth.plan import CacheSpec
from pennyworth.request import Dialect
from pennyworth.wire.bulk import MOST_SAID, MOST_TOLD, is_bulky
from pennyworth.wire.translate import plain_form, request_into
from tests.wire.meanings import request_in

WHY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}
TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=5),
    max_leaves=40,
)


def members(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return len(inner) + sum(members(one) for one in inner)


@given(more=TREES, most=st.integers(0, 60))
def test_what_a_body_holds_is_counted_at_every_depth(more: Any, most: int) -> None:
    request = request_in("chat", {**WHY, "x": more})
    assert is_bulky(request, most) is (members(request.fields) > most)


def in_parts(count: int) -> dict[str, Any]:
    """A body with so many members: a question in parts of a few letters."""
    parts = [{"type": "text", "text": "a"}] * ((count - 6) // 3)
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": parts}]}
    assert count - 3 < members(body) <= count
    return body


@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_a_question_in_very_many_parts_is_keyed_in_its_own_dialect(dialect: Dialect) -> None:
    below, above = (request_in(dialect, in_parts(count)) for count in (MOST_TOLD, MOST_TOLD + 3))
    assert question_of(below, CacheSpec()).form == "neutral/1"
    assert question_of(above, CacheSpec()).form == dialect
    assert plain_form(above) is None


def test_a_question_in_very_many_parts_is_refused_where_it_would_have_to_be_translated() -> None:
    assert request_into(request_in("chat", in_parts(MOST_SAID)), "messages")
    with pytest.raises(RequestError, match="more than 150,000 members") as refused:
        request_into(request_in("chat", in_parts(MOST_SAID + 3)), "messages")
    assert refused.value.code == "cannot_translate"


def test_long_texts_are_not_many_things() -> None:
    turn = {"role": "user", "content": "{,}[,]" * 100_000}
    assert plain_form(request_in("messages", {**WHY, "max_tokens": 9, "messages": [turn]})) is not None
