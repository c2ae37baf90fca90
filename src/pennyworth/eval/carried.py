"""What another dialect can say of a row: carried there and back it means the same, or it is refused by a field's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pennyworth.errors import RequestError
from pennyworth.eval.case import Case
from pennyworth.eval.told import Told, told
from pennyworth.plan import Route
from pennyworth.request import Dialect, Request
from pennyworth.wire import translate
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.messages.adopt import longest_answer
from pennyworth.wire.neutral.meaning import meaning
from pennyworth.wire.neutral.nouns import Prompt
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.translate import CannotSayError, StreamTranslator

_DROP = Route().drop


class Carried(NamedTuple):
    """``refused``: by which field, "" = it was carried. ``equal``: it came back as it went. ``note``: what was left out."""

    into: Dialect
    refused: str = ""
    equal: bool = True
    note: str = ""


def requests(case: Case) -> Iterator[Carried]:
    """Into each other dialect and back. What a route may leave out by default is left out; such a request is carried, but
    cannot be equal."""
    assert case.request is not None
    origin = case.row.dialect
    for into in _others(origin):
        try:
            there = translate.request_into(case.request, into, _DROP)
            back = translate.request_into(there.request, origin, _DROP)
        except RequestError as error:
            yield Carried(into, _bare(error.param or error.code))
            continue
        dropped = ", ".join((*there.dropped, *back.dropped))
        equal = bool(dropped) or _asked(back.request) == _asked(case.request)
        yield Carried(into, equal=equal, note=f"without {dropped}" if dropped else "")


def replies(case: Case) -> Iterator[Carried]:
    origin, row = case.row.dialect, case.row
    for into in _others(origin):
        try:
            there = translate.reply_as_json(row.reply, streamed=row.streamed, origin=origin, into=into)
            back = translate.reply_as_json(there, streamed=False, origin=into, into=origin)
        except CannotSayError as error:
            yield Carried(into, error.what)
        else:
            whole = case.codec.as_json(row.reply, streamed=True) if row.streamed else row.reply
            yield Carried(into, equal=told(back, origin) == told(whole, origin))


def streams(case: Case) -> Iterator[Carried]:
    """Said while it passes, a stream comes to the same as translated whole."""
    origin, row = case.row.dialect, case.row
    for into in _others(origin):
        try:
            whole = translate.reply_as_json(row.reply, streamed=True, origin=origin, into=into)
        except CannotSayError as error:
            yield Carried(into, error.what)
            continue
        translator = StreamTranslator(origin, into)
        passed = CODECS[into].as_json(translator.feed(row.reply) + translator.finish(), streamed=True)
        yield Carried(into, equal=_unsealed(told(passed, into)) == _unsealed(told(whole, into)))


def _unsealed(said: Told | None) -> Told | None:
    """OpenAI seals its thinking anew in a stream's last event: as many seals are the same seals."""
    return said and said._replace(seals=tuple("" for _ in said.seals))


def _others(dialect: Dialect) -> list[Dialect]:
    return [other for other in SPEAKERS if other in CODECS and other != dialect] if dialect in SPEAKERS else []


def _asked(request: Request) -> Prompt:
    """What it asks. One that names no cap asks for the longest answer, which Anthropic wants to be told."""
    prompt = meaning(SPEAKERS[request.dialect].prompt_of(request.fields))
    changes: dict[str, Any] = {"cap": longest_answer(prompt.model) if prompt.cap is None else prompt.cap}
    if prompt.verbosity == "medium":
        changes["verbosity"] = None
    return msgspec.structs.replace(prompt, **changes)


def _bare(path: str) -> str:
    """A field's name without the places in lists: ``messages[].content[].image_url``."""
    return "".join(["[]" if part.isdigit() else part for part in _split(path)])


def _split(path: str) -> list[str]:
    return path.replace("[", "\0").replace("]", "\0").split("\0")
