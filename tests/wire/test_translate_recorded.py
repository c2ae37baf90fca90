"""What was really asked and answered, said in another dialect: all of it is carried, or what is not is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from pennyworth.errors import RequestError
from pennyworth.plan import HINTS
from pennyworth.request import Dialect, Request
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.neutral.nouns import Text, Thinking, ToolCall
from pennyworth.wire.neutral.replies import Completion
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.translate import CannotSayError, Translated, reply_as_json, request_into
from tests.wire.meanings import asked, leaves, request_in
from tests.wire.recorded_dialects import recorded_in

PAIRS = list(permutations(SPEAKERS, 2))
WORDS = frozenset(("auto", "any", "none", "required", "reasoning.encrypted_content"))
"""What a dialect says by saying nothing, or in a word of its own."""

NAMED: dict[Dialect, tuple[str, ...]] = {"chat": (), "messages": (), "responses": ("id", "status")}
"""Members by which a provider finds its own items again."""

pairs = pytest.mark.parametrize(("origin", "into"), PAIRS)


@pairs
def test_a_recorded_request_is_refused_by_name_or_asks_the_same_there_and_back(origin: Dialect, into: Dialect) -> None:
    carried = 0
    for row in recorded_in(origin):
        if row.request is None:
            continue
        request = request_in(origin, row.request)
        there = translated(request, into)
        if isinstance(there, RequestError):
            assert there.param, row.id
            continue
        assert not there.dropped
        back = request_into(there.request, origin).request
        assert asked(back) == asked(request), row.id
        carried += 1
    assert carried > 50


@pairs
def test_no_text_of_a_recorded_request_is_lost_in_silence(origin: Dialect, into: Dialect) -> None:
    for row in recorded_in(origin):
        if row.request is None:
            continue
        request = request_in(origin, row.request)
        try:
            there = request_into(request, into, set(HINTS) - {"reasoning_content"})
        except RequestError:
            continue
        written = set(leaves(json.loads(there.request.body)))
        lost = set(leaves(_without(json.loads(row.request), (*there.dropped, *NAMED[origin])))) - written
        assert not lost - WORDS, row.id


@pairs
def test_a_recorded_reply_says_the_same_there_and_back(origin: Dialect, into: Dialect) -> None:
    carried = 0
    for raw in replies(origin):
        try:
            there = reply_as_json(raw, streamed=False, origin=origin, into=into)
        except CannotSayError:
            continue
        back = reply_as_json(there, streamed=False, origin=into, into=origin)
        assert told(back, origin) == told(raw, origin)
        carried += 1
    assert carried > 50


def translated(request: Request, into: Dialect, drop: tuple[str, ...] = ()) -> Translated | RequestError:
    try:
        return request_into(request, into, drop)
    except RequestError as error:
        return error


def replies(dialect: Dialect) -> Iterator[bytes]:
    for row in recorded_in(dialect):
        if row.status == 200 and row.reply is not None:
            yield row.reply
        elif row.status == 200 and dialect in CODECS and row.stream and b"data:" in row.stream:
            yield CODECS[dialect].as_json(row.stream, streamed=True)


def told(raw: bytes, dialect: Dialect) -> dict[str, Any]:
    """What a reader of the reply learns from it, in the order in which chat completions put it."""
    completion: Completion | None = SPEAKERS[dialect].completion_of(json.loads(raw))
    assert completion is not None
    tokens = completion.tokens
    if tokens is not None and not (tokens.input or tokens.output):
        tokens = None  # Messages has to say a number: nothing at all is how it says that nobody has counted
    parts = [part for answer in completion.answers for turn in answer.turns for part in turn.parts]
    return {
        "id": completion.id,
        "model": completion.model,
        "stop": [answer.stop for answer in completion.answers],
        "text": "".join(part.text for part in parts if isinstance(part, Text)),
        "thought": "".join(part.text for part in parts if isinstance(part, Thinking)),
        "sealed": [
            part.sealed or part.signature
            for part in parts
            if isinstance(part, Thinking) and (part.sealed or part.signature)
        ],
        "calls": [(part.id, part.name, _json(part.arguments)) for part in parts if isinstance(part, ToolCall)],
        "tokens": tokens
        and (tokens.input, tokens.output, tokens.cached or 0, tokens.cache_write or 0, tokens.reasoning or 0),
    }


def _json(arguments: Any) -> Any:
    return json.loads(arguments or "{}") if isinstance(arguments, str) else arguments


def _without(value: Any, names: tuple[str, ...]) -> Any:
    match value:
        case dict():
            return {name: _without(inner, names) for name, inner in value.items() if name not in names}
        case list():
            return [_without(inner, names) for inner in value]
    return value
