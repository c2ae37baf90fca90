"""Requests and replies rebuilt from the nouns they were read into, with the raw bytes thrown away."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pennyworth import canonical
from pennyworth.canonical import Lexeme, lexeme_of
from pennyworth.eval.case import Case
from pennyworth.request import Dialect
from pennyworth.wire.embeddings import neutral as vectors
from pennyworth.wire.neutral.problems import body_of_problem, problem_of
from pennyworth.wire.speakers import SPEAKERS

_WRITE = msgspec.json.Encoder(enc_hook=lexeme_of).encode
_READ = msgspec.json.Decoder(float_hook=Lexeme).decode


def request(case: Case) -> bool:
    """The same JSON value, to the last digit."""
    assert case.request is not None
    fields = case.request.fields
    speaker = SPEAKERS.get(case.row.dialect)
    rebuilt = speaker.fields_of(speaker.prompt_of(fields)) if speaker else vectors.fields_of(vectors.items_of(fields))
    return _equal(rebuilt, fields)


def answer(case: Case) -> bool:
    """The same JSON value; of a stream, that of the reply its events amount to, which goes to events and back besides."""
    raw = case.codec.as_json(case.row.reply, streamed=True) if case.row.streamed else case.row.reply
    body = _READ(raw)
    if case.row.status >= 400 or (isinstance(body, dict) and body.get("error")):
        problem = problem_of(body)
        return problem is not None and _equal(body_of_problem(problem), body)
    rebuilt = _rebuilt(case.row.dialect, body)
    if rebuilt is None:
        return False
    if not case.row.streamed:
        return _equal(rebuilt, body)
    events = case.codec.as_events(_WRITE(rebuilt), streamed=False, usage=bool(body.get("usage")))
    again = case.codec.as_json(events, streamed=True)
    return _equal(rebuilt, body) and json.loads(again) == json.loads(raw)


def _rebuilt(dialect: Dialect, body: dict[str, Any]) -> dict[str, Any] | None:
    """``None``: it was read as no reply."""
    speaker = SPEAKERS.get(dialect)
    if speaker is None:
        reply = vectors.vectors_of(body)
        return None if reply is None else vectors.body_of(reply)
    completion = speaker.completion_of(body)
    return None if completion is None else speaker.body_of(completion)


def _equal(one: Any, other: Any) -> bool:
    return canonical.encode(one) == canonical.encode(other)
