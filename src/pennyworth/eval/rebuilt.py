"""Requests and replies rebuilt from the nouns they were read into, with the raw bytes thrown away."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pennyworth import canonical
from pennyworth.canonical import Lexeme, lexeme_of
from pennyworth.eval.case import Case
from pennyworth.wire.neutral.problems import body_of_problem, problem_of
from pennyworth.wire.speakers import SPEAKERS

_WRITE = msgspec.json.Encoder(enc_hook=lexeme_of).encode
_READ = msgspec.json.Decoder(float_hook=Lexeme).decode


def request(case: Case) -> bool:
    """The same JSON value, to the last digit."""
    assert case.request is not None
    fields = case.request.fields
    speaker = SPEAKERS[case.row.dialect]
    return _equal(speaker.fields_of(speaker.prompt_of(fields)), fields)


def answer(case: Case) -> bool:
    """The same JSON value; of a stream, that of the reply its events amount to, which goes to events and back besides."""
    raw = case.codec.as_json(case.row.reply, streamed=True) if case.row.streamed else case.row.reply
    body = _READ(raw)
    if case.row.status >= 400 or (isinstance(body, dict) and body.get("error")):
        problem = problem_of(body)
        return problem is not None and _equal(body_of_problem(problem), body)
    speaker = SPEAKERS[case.row.dialect]
    completion = speaker.completion_of(body)
    if completion is None:
        return False
    rebuilt = speaker.body_of(completion)
    if not case.row.streamed:
        return _equal(rebuilt, body)
    events = case.codec.as_events(_WRITE(rebuilt), streamed=False, usage=bool(body.get("usage")))
    again = case.codec.as_json(events, streamed=True)
    return _equal(rebuilt, body) and json.loads(again) == json.loads(raw)


def _equal(one: Any, other: Any) -> bool:
    return canonical.encode(one) == canonical.encode(other)
