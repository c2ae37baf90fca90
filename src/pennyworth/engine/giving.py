"""What a caller is given of a reply, in his own dialect, and with which status."""

from __future__ import annotations

from pennyworth.decide import trouble
from pennyworth.engine.flight import Flight
from pennyworth.engine.passage import Passage
from pennyworth.outcome import Outcome
from pennyworth.wire import translate
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.rendering import rendered
from pennyworth.wire.translate import CannotSayError, StreamTranslator


def blocks_for(p: Passage, flight: Flight) -> list[bytes]:
    """The provider's events, with the usage that this caller wants or that a translation needs."""
    whole = p.request.wants_usage or flight.codec.name != p.request.dialect
    return flight.blocks if whole else flight.bare


def translator(p: Passage, flight: Flight) -> StreamTranslator:
    return StreamTranslator(flight.codec.name, p.request.dialect, usage=p.request.wants_usage)


def all_events(p: Passage, flight: Flight) -> bytes:
    """A whole stream as this caller is given it."""
    events = b"".join(blocks_for(p, flight))
    if flight.codec.name == p.request.dialect:
        return events
    into = translator(p, flight)
    said = into.feed(events)
    return said + into.finish() if flight.outcome is not None and flight.outcome.whole else said


def gives(p: Passage, flight: Flight, outcome: Outcome) -> bool:
    """There is a reply that can be given to this caller: one that came, and that his dialect has words for."""
    if not trouble.gives(outcome):
        return False
    return outcome.dialect == p.request.dialect or _streams(p, flight, outcome) or _said(p, outcome) is not None


def _streams(p: Passage, flight: Flight, outcome: Outcome) -> bool:
    """It is given piece by piece, and what has no words is left out on the way."""
    return p.request.stream and (flight.fed or outcome.streamed)


def status_for(p: Passage, flight: Flight, outcome: Outcome, *, gives: bool) -> int:
    """``gives``: what the function of this name says. A reader who waits for a whole reply has been given nothing before
    its end."""
    if flight.status:  # passed through, and given already
        return flight.status
    if flight.fed and p.request.stream:
        return 200
    if gives:
        return outcome.status
    return 502 if trouble.gives(outcome) else trouble.status_of(outcome)


def all_at_once(p: Passage, outcome: Outcome) -> tuple[int, bytes]:
    """Status and body of a reply of which nothing has been given, in the form that was asked for."""
    request, into = p.request, CODECS[p.request.dialect]
    same = outcome.dialect == request.dialect
    if not trouble.gives(outcome):
        told = trouble.explain(outcome, p.answering)
        if told.body:
            return told.status, told.body if same else translate.error_as(told.body, told.status, request.dialect)
        return told.status, into.problem(told.status, told.message, code=told.code)
    if outcome.ending in ("cut", "error") and not outcome.streamed and same:
        return outcome.status, outcome.raw  # odd, but whole: what the provider said is what he gets
    if (body := _said(p, outcome)) is not None:
        return 200, body
    message = f"{p.answering.name} gave a reply that cannot be said in the dialect it was asked in ({request.dialect})."
    return 502, into.problem(502, message, code="cannot_translate")


def _said(p: Passage, outcome: Outcome) -> bytes | None:
    """The reply in the caller's words, made once. One that is no reply by its own dialect's terms must not become one."""
    if outcome.ending == "cut" and outcome.dialect != p.request.dialect:
        return None
    if p.said is None or p.said[0] is not outcome:
        try:
            body = rendered(p.request, outcome.raw, streamed=outcome.streamed, origin=outcome.dialect)
        except CannotSayError:
            body = None
        p.said = outcome, body
    return p.said[1]


def cut_off(p: Passage, outcome: Outcome) -> bytes:
    """The event that ends a stream which broke off."""
    told = trouble.explain(outcome, p.answering)
    return CODECS[p.request.dialect].problem_event(told.status, told.message, code=told.code)
