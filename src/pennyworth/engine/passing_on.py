"""One call that is passed through: what the provider says is handed on as it comes, and counted.

A failure is held until it has come whole, so that a call that may be repeated still can be. Everything else begins with
its head and is never held: of a file of any size there are a few pieces in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pennyworth import canonical
from pennyworth.engine.books import Books
from pennyworth.engine.sending import Errand, Sent
from pennyworth.errors import UpstreamError, UpstreamFault
from pennyworth.outcome import Ending, Outcome
from pennyworth.plan import Target
from pennyworth.ports import Call, Clock, Exchange, Upstream
from pennyworth.request import Edit, Request, Through
from pennyworth.wire import edits
from pennyworth.wire.other import Tally
from pennyworth.wire.other.striking import Striking
from pennyworth.wire.shown_key import shown_key

_LONGEST_FAILURE = 1 << 20
_USUAL = 0.9


class PassingOn:
    """``run`` once."""

    def __init__(self, errand: Errand, why: str, within_s: float, books: Books, clock: Clock) -> None:
        assert errand.p.request.through is not None
        self._errand, self._flight, self._p, self._target = errand, errand.flight, errand.p, errand.target
        self._through: Through = errand.p.request.through
        self._why = why
        self._within_s = within_s
        self._books = books
        self._clock = clock
        self._tally = Tally()
        self._failure: list[bytes] = []
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._began = False
        self._broke: UpstreamFault | None = None
        self._started_ns = clock.mono_ns()
        self._first_ns = 0

    async def run(self, upstream: Upstream) -> Sent:
        """What came of it, whatever happens; a cancelled call has an outcome too."""
        self._books.intend(self._p, self._target)
        exchange: Exchange | None = None
        fault = ""
        try:
            exchange = await self._open(upstream)
            await self._receive(exchange)
        except UpstreamError as error:
            fault, self._broke = error.message, error.fault
        except asyncio.CancelledError:  # by Flight.abort: it is booked, then the task ends by itself
            fault, self._broke = self._flight.aborted or "every caller left", "cancelled"
        finally:
            if exchange is not None:
                exchange.close()
        sent = self._note(self._outcome(fault))
        if self._began and not fault:
            self._errand.land(sent)
        return sent

    async def _open(self, upstream: Upstream) -> Exchange:
        """As a stream it has no time for the whole of it; where less than usual is left, it must begin within that."""
        call = call_for(self._p.request, self._through, self._target, self._within_s)
        if self._within_s > _USUAL * self._target.provider.idle_s:
            return await upstream.open(call)
        try:
            async with asyncio.timeout(self._within_s):
                return await upstream.open(call)
        except TimeoutError as error:
            late = f"it timed out: no reply began within {self._within_s:.1f} s, which is what was left"
            raise UpstreamError("timeout", self._target.name, late) from error

    async def _receive(self, exchange: Exchange) -> None:
        self._first_ns = self._clock.mono_ns()
        self._status, self._headers = exchange.status, tuple(exchange.headers)
        self._tally = Tally(self._through.path, dict(self._headers).get("content-type", ""))
        striking = Striking(self._target.provider.credential)
        if 200 <= self._status < 300:
            self._begin()
        while data := await exchange.read():
            self._tally.feed(data)
            if not self._began:
                self._hold(data)
            elif passed := striking.feed(data):
                self._flight.push_as_it_is(passed)
                await self._flight.room()
        self._tally.end()
        if rest := striking.rest():
            self._flight.push_as_it_is(rest)

    def _begin(self) -> None:
        self._began = True
        self._flight.answers(self._target, self._headers, self._flight.codec)
        self._flight.begin_as_it_is(self._status)

    def _hold(self, data: bytes) -> None:
        self._failure.append(data)
        if self._tally.size > _LONGEST_FAILURE:
            self._failure.clear()
            message = f"it answered {self._status} with more than {_LONGEST_FAILURE} bytes"
            raise UpstreamError("too_large", self._target.name, message)

    def _outcome(self, fault: str) -> Outcome:
        return Outcome(
            ending=self._ending(fault),
            status=self._status,
            dialect="other",
            raw=self._target.provider.credential.struck_from(b"".join(self._failure)),
            whole=not fault,
            usage=self._tally.usage,
            served_by=self._tally.model,
            fault=fault,
            broke=self._broke or "",
            began=self._began,
            long=self._tally.size if self._began else 0,
            provider_request_id=_request_id(self._headers),
        )

    def _ending(self, fault: str) -> Ending:
        if fault:
            return "cut" if self._flight.wanted or self._flight.aborted else "caller_left"
        return "complete" if self._began else "error"

    def _note(self, outcome: Outcome) -> Sent:
        now = self._clock.mono_ns()
        self._p.first_byte_ms = round(((self._first_ns or now) - self._started_ns) / 1e6, 3)
        note = self._books.note(
            self._p,
            self._target,
            outcome,
            first_byte_ms=self._p.first_byte_ms,
            total_ms=round((now - self._started_ns) / 1e6, 3),
            edits=tuple([edit.field for edit in _edits(self._through, self._target)]),
            why=self._why,
            saying=self._errand.saying,
        )
        self._p.attempts.append(note)
        return Sent(outcome, self._target, self._headers, note.usage)


def call_for(request: Request, through: Through, target: Target, within_s: float = 0.0) -> Call:
    """The HTTP call: path, headers and body as they came, and our credential or, where allowed, the caller's own."""
    provider = target.provider
    said = dict(through.headers)
    headers = [*through.headers, *[header for header in provider.headers if header[0].lower() not in said]]
    if (key := shown_key(provider, request.caller)) is not None:
        headers.append(key)
    changes = _edits(through, target)
    return Call(
        target=target,
        path=through.path,
        headers=tuple(headers),
        body=edits.apply(request.body, changes, ("model",)) if changes else request.body,
        stream=True,
        within_s=within_s,
        method=through.method,
    )


def _edits(through: Through, target: Target) -> tuple[Edit, ...]:
    if not (through.named and through.renamable) or target.model == through.named:
        return ()
    return (Edit("model", canonical.encode(target.model), "the model's name at this provider"),)


def _request_id(headers: Sequence[tuple[str, str]]) -> str:
    found = dict(headers)
    return found.get("x-request-id") or found.get("request-id", "")
