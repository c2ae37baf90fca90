"""One caller's end of a call that is passed through: the provider's own head and body, in pieces as they come."""

from __future__ import annotations

from pennyworth.decide import cacheable, tokens, trouble
from pennyworth.engine import heads
from pennyworth.engine.books import Books
from pennyworth.engine.flight import Flight
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.relay import Relay
from pennyworth.engine.saying import Saying
from pennyworth.engine.triage import Case
from pennyworth.errors import UpstreamError
from pennyworth.plan import Route, Target
from pennyworth.request import Request, Through
from pennyworth.view import View
from pennyworth.wire.dialects import CODECS

_ROUTE = Route(name="passed through")
_BODILESS = (204, 205, 304)
_TELLS = (401, 403)
"""Statuses at which our own words say more than the provider's, whose subject is our key."""


def case_of(request: Request, through: Through, target: Target, view: View) -> Case:
    """Nothing of it is looked up, kept or shared."""
    verdict = cacheable.Verdict(False, False, False, f"passed through: {through.shape}")
    return Case(request, view.plan, True, 0, target, (), _ROUTE, verdict, None, "", "other", Saying(request))


def counted_here(p: Passage, books: Books) -> Reply:
    """The tokens of a Messages request, about, where its provider has no way to count them."""
    about = tokens.estimate_request(p.request.fields)
    p.reason = f"counted here, about: {p.target.provider.name} does not speak messages"
    receipt = books.settle(p, served="none", ending="complete", status=200)
    head = [heads.JSON, (b"x-pennyworth-estimated", b"input_tokens"), *heads.of_receipt(receipt)]
    return Reply(200, head, b'{"input_tokens":%d}' % about)


class ThroughRelay(Relay):
    """A ``Relay`` whose reply is no dialect's. A body that breaks off on the way raises ``UpstreamError``: half of it is
    out, and there are no words of ours that its reader would understand."""

    def begun(self) -> Reply | None:
        flight = self._flight
        if self._closed:
            return Reply(499, [])  # nobody is there to read it
        if flight.status:
            return self._head(flight)
        return self._whole(flight) if flight.over else None

    def take(self) -> bytes | None:
        flight = self._flight
        if self._closed:
            return b""
        if self._at < len(flight.blocks):
            block = b"".join(flight.blocks[self._at :])
            self._at = len(flight.blocks)
            flight.took(flight.pushed)
            flight.forget(self._at)
            return block
        return self._last(flight) if flight.over else None

    def _head(self, flight: Flight) -> Reply | None:
        """One without a body is given when it has ended, so that its receipt is written first."""
        self._p.answering = flight.target or self._p.target
        bodiless = flight.status in _BODILESS or self._through.method == "HEAD"
        if bodiless and not flight.over:
            return None
        return Reply(flight.status, heads.of_through(self._p, flight.headers, bodiless=bodiless), more=not bodiless)

    @property
    def _through(self) -> Through:
        assert self._p.request.through is not None
        return self._p.request.through

    def _join(self, flight: Flight) -> None:
        self._flight = flight
        flight.join()
        flight.leave_alone()

    def _last(self, flight: Flight) -> bytes:
        outcome = flight.outcome
        assert outcome is not None
        self._settle(flight, outcome)
        if outcome.ending != "complete":
            raise UpstreamError(outcome.broke or "reset", self._p.answering.name, outcome.fault)
        return b""

    def _whole(self, flight: Flight) -> Reply:
        """A failure, as the provider said it; in words of ours where it said nothing, or spoke of our key."""
        outcome = flight.outcome
        assert outcome is not None
        self._settle(flight, outcome)
        receipt = self._p.receipt
        assert receipt is not None
        own = (
            outcome.status < 400
            or bool(outcome.broke)
            or (outcome.status in _TELLS and not self._p.answering.provider.forward_caller)
        )
        if not own:
            head = heads.of_failed_through(self._p, receipt, flight.headers, as_it_came=True)
            return Reply(outcome.status, head, outcome.raw)
        told = trouble.explain(outcome, self._p.answering)
        head = heads.of_failed_through(self._p, receipt, flight.headers, as_it_came=False)
        body = CODECS[self._through.flavour].problem(told.status, told.message, code=told.code)
        return Reply(told.status, head, body)
