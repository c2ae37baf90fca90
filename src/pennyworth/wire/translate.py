"""From one dialect to another: requests, replies, streams. What cannot be carried is said by its field's name.

Requests are translated on their way to a provider that does not speak the caller's dialect; replies on their way to the
caller, so that what is kept and what a flight holds are always the provider's own bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from pennyworth.canonical import Lexeme, lexeme_of
from pennyworth.errors import RequestError
from pennyworth.request import Dialect, Request
from pennyworth.wire import loose
from pennyworth.wire.bulk import MOST_SAID, is_bulky
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.losses import NAMES, CannotSayError, Losses
from pennyworth.wire.neutral.problems import problem_of
from pennyworth.wire.neutral.turns import check_last
from pennyworth.wire.plain import plain_form
from pennyworth.wire.portable import portable
from pennyworth.wire.speakers import SAME, SPEAKERS
from pennyworth.wire.streams import StreamTranslator

__all__ = [
    "CannotSayError",
    "StreamTranslator",
    "Translated",
    "error_as",
    "plain_form",
    "reply_as_events",
    "reply_as_json",
    "request_into",
]

_READ = msgspec.json.Decoder(float_hook=Lexeme).decode
_WRITE = msgspec.json.Encoder(enc_hook=lexeme_of).encode

_HEADERS: Mapping[Dialect, str] = {"messages": "anthropic-"}
"""With what the names of a dialect's own headers begin; of all others it is OpenAI's."""
_OPENAI = "openai-"


class Translated(NamedTuple):
    """``dropped``: the names of what was left out, as the operator allowed."""

    request: Request
    dropped: tuple[str, ...]


def request_into(request: Request, into: Dialect, drop: Collection[str] = ()) -> Translated:
    """The request as a provider reads it that speaks ``into``.

    Args:
        drop: names of fields that may be left out where they cannot be carried.

    Raises:
        RequestError: 400, a field that cannot be carried; ``param`` names it.
    """
    if is_bulky(request, MOST_SAID):
        raise _too_much(into)
    origin, target = SPEAKERS[request.dialect], SPEAKERS[into]
    losses = Losses(into, drop, origin.FIELDS)
    same = SAME.get((request.dialect, into), ())
    prompt = portable(origin.prompt_of(request.fields), origin.MEANINGLESS, losses, same)
    fields = target.fields_of(target.adopt(check_last(prompt, losses), losses))
    if into == "chat" and request.stream:
        fields["stream_options"] = {"include_usage": True}
    translated = msgspec.structs.replace(
        request,
        dialect=into,
        body=_written(fields),
        fields=fields,
        wants_usage=request.stream,
        n=1,
        vary=_vary(request, into),
    )
    return Translated(translated, tuple(losses.dropped))


def reply_as_json(raw: bytes, *, streamed: bool, origin: Dialect, into: Dialect) -> bytes:
    """A recorded reply as one JSON body of another dialect. Raises ``CannotSayError``."""
    body = _read(CODECS[origin].as_json(raw, streamed=True) if streamed else raw)
    completion = SPEAKERS[origin].completion_of(body) if body.__class__ is dict else None
    if completion is None:
        raise CannotSayError("no reply that can be read")
    for answer in completion.answers:
        for turn in answer.turns:
            for name in SPEAKERS[origin].LOUD:
                if turn.extra.get(name):
                    raise CannotSayError(name)
    target = SPEAKERS[into]
    return _written(target.body_of(target.adopt_reply(completion)))


def reply_as_events(raw: bytes, *, streamed: bool, origin: Dialect, into: Dialect, usage: bool) -> bytes:
    """A recorded reply as the events of another dialect. Raises ``CannotSayError``."""
    body = reply_as_json(raw, streamed=streamed, origin=origin, into=into)
    return CODECS[into].as_events(body, streamed=False, usage=usage)


def error_as(raw: bytes, status: int, into: Dialect) -> bytes:
    """A provider's error body, said in another dialect: its message, code and field are kept."""
    try:
        problem = problem_of(loose.read(raw))
    except loose.UNREADABLE:
        problem = None
    if problem is None:
        text = raw[:_LONGEST].decode("utf-8", "replace").strip()
        return CODECS[into].problem(status, text or f"The provider answered with status {status} and no message.")
    return CODECS[into].problem(status, problem.message, code=problem.code or "", param=problem.param)


def _too_much(into: Dialect) -> RequestError:
    return RequestError(
        f"A body of more than {MOST_SAID:,} members is not said in {NAMES[into]}, which is what this model's provider "
        "speaks: it would hold up everybody else. Shorten the conversation, or choose a model whose provider speaks "
        "your dialect.",
        code="cannot_translate",
    )


_LONGEST = 2_000
"""How much of an error that is no JSON is told."""


def _read(raw: bytes) -> Any:
    try:
        return _READ(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return loose.read(raw)
    except loose.UNREADABLE:
        return None


def _written(body: Mapping[str, Any]) -> bytes:
    try:
        return _WRITE(body)
    except UnicodeEncodeError:  # half of a surrogate pair, which the caller sent or the provider gave
        return loose.write(body)


def _vary(request: Request, into: Dialect) -> tuple[tuple[str, str], ...]:
    """The headers that the provider is to see: none that only the old dialect has."""
    old, new = _HEADERS.get(request.dialect, _OPENAI), _HEADERS.get(into, _OPENAI)
    return request.vary if old == new else tuple([one for one in request.vary if not one[0].startswith(old)])
