"""One call to a provider: from the intent in the journal to the recorded outcome, feeding the flight on the way.

Role and start events wait for content; the terminal event waits for the receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from pennyworth import canonical
from pennyworth.engine.books import Books
from pennyworth.engine.flight import Flight
from pennyworth.engine.passage import Passage
from pennyworth.errors import UpstreamError
from pennyworth.outcome import Outcome
from pennyworth.plan import Target
from pennyworth.ports import Call, Clock, Exchange, Upstream
from pennyworth.request import Edit, Request
from pennyworth.wire import chat, edits
from pennyworth.wire.recorder import ChatRecorder
from pennyworth.wire.sse import EventSplitter

_LONGEST_EVENT = 8 * 2**20


class Sending:
    """``run`` once. ``land(outcome)`` is called when the reply is known to its end, before its last byte is released."""

    def __init__(
        self, flight: Flight, p: Passage, target: Target, books: Books, clock: Clock, land: Callable[[Outcome], None]
    ) -> None:
        self._flight = flight
        self._p = p
        self._target = target
        self._books = books
        self._clock = clock
        self._land = land
        self._edits = chat.edits(p.request)
        self._recorder = ChatRecorder()
        self._raw: list[bytes] = []
        self._size = 0
        self._status = 0
        self._streamed = False
        self._request_id = ""
        self._held: list[bytes] = []
        self._landed = False
        self._started_ns = clock.mono_ns()
        self._first_ns = 0

    async def run(self, upstream: Upstream) -> Outcome:
        """The outcome, whatever happens; a cancelled call has one too."""
        self._books.intend(self._p, self._target)
        exchange: Exchange | None = None
        fault = ""
        try:
            exchange = await upstream.open(call_for(self._p.request, self._target, self._edits))
            await self._receive(exchange)
        except UpstreamError as error:
            fault = error.message
        except asyncio.CancelledError:  # by Flight.abort: the outcome is booked, then the task ends by itself
            fault = self._flight.aborted or "every caller left"
        finally:
            if exchange is not None:
                exchange.close()
        outcome = self._outcome(fault)
        if not self._landed:
            self._conclude(outcome)
        return outcome

    async def _receive(self, exchange: Exchange) -> None:
        self._status = exchange.status
        self._flight.headers = tuple(exchange.headers)
        headers = dict(exchange.headers)
        self._request_id = headers.get("x-request-id", "")
        events = headers.get("content-type", "").startswith("text/event-stream")
        self._streamed = events and exchange.status == 200
        splitter = EventSplitter()
        while data := await exchange.read():
            self._take(data)
            if self._streamed:
                self._pass(splitter.feed(data))
                if splitter.waiting > _LONGEST_EVENT:
                    raise self._too_large(f"one event is longer than {_LONGEST_EVENT} bytes")
                await self._flight.room()
        if self._streamed and splitter.rest:
            self._recorder.feed_rest(splitter.rest)
            self._held.append(splitter.rest)
        elif not self._streamed and self._status == 200:
            self._recorder.feed_json(b"".join(self._raw))

    def _take(self, data: bytes) -> None:
        if not self._first_ns:
            self._first_ns = self._clock.mono_ns()
        self._raw.append(data)
        self._size += len(data)
        limit = self._p.view.plan.limits.max_reply_bytes
        if self._size > limit:
            raise self._too_large(f"the reply is longer than limits.max_reply_bytes ({limit})")

    def _too_large(self, message: str) -> UpstreamError:
        return UpstreamError("too_large", self._target.name, message)

    def _pass(self, events: list[bytes]) -> None:
        self._recorder.feed_all(events)
        if self._landed:
            return  # what comes after the terminal event reaches nobody; the recorder holds it against the reply
        self._held += events
        if self._recorder.done:
            self._end_stream(self._outcome(""))
        elif self._recorder.committed and self._held:
            self._release()

    def _end_stream(self, outcome: Outcome) -> None:
        """At the terminal event. One that ends nothing (no choice gave a reason) is held back for good."""
        if outcome.ending != "cut":
            self._conclude(outcome)

    def _outcome(self, fault: str) -> Outcome:
        outcome = self._recorder.outcome(
            status=self._status,
            raw=b"".join(self._raw),
            streamed=self._streamed,
            ended=not fault,
            expected=self._p.request.n,
            fault=fault,
            request_id=self._request_id,
        )
        if fault and self._p.left and not self._flight.aborted:
            return msgspec.structs.replace(outcome, ending="caller_left")
        if outcome.ending == "error":
            return msgspec.structs.replace(outcome, raw=self._struck(outcome.raw))
        return outcome

    def _conclude(self, outcome: Outcome) -> None:
        """The attempt's note, the receipt, and for a stream seen to its end its terminal event."""
        self._note(outcome)
        if not self._streamed or outcome.ending in ("cut", "caller_left"):
            return  # the policy may have another idea; the pilot lands what stands in the end
        self._landed = True
        self._land(outcome)
        self._release()

    def _release(self) -> None:
        if events := self._held:
            self._held = []
            quoting = b'"error"' in b"".join(events)
            self._flight.push([self._struck(event) for event in events] if quoting else events)

    def _struck(self, said: bytes) -> bytes:
        """Without our credential, where an error inside a reply says it back: some providers quote what they refuse."""
        return self._target.provider.credential.struck_from(said) if b'"error"' in said else said

    def _note(self, outcome: Outcome) -> None:
        now = self._clock.mono_ns()
        first_ms = round(((self._first_ns or now) - self._started_ns) / 1e6, 3)
        total_ms = round((now - self._started_ns) / 1e6, 3)
        self._p.first_byte_ms = first_ms
        self._p.attempts.append(
            self._books.note(
                self._p,
                self._target,
                outcome,
                first_byte_ms=first_ms,
                total_ms=total_ms,
                edits=tuple([edit.field for edit in self._edits]) if self._edits else (),
            )
        )


def call_for(request: Request, target: Target, changes: tuple[Edit, ...]) -> Call:
    """The HTTP call: the caller's bytes with the edits, and our credential or, where allowed, the caller's own."""
    provider = target.provider
    if target.model != request.model:
        changes = (*changes, Edit("model", canonical.encode(target.model), "the model's name at this provider"))
    authorization = request.caller.credential if provider.forward_caller else provider.credential.reveal()
    if authorization and not provider.forward_caller:
        authorization = f"Bearer {authorization}"
    headers = [("content-type", "application/json"), *request.vary, *provider.headers]
    if authorization:
        headers.append(("authorization", authorization))
    body = request.body
    if changes:
        body = edits.apply(body, changes, tuple([edit.field for edit in changes if edit.field in request.fields]))
    return Call(target=target, path=chat.PATH, headers=tuple(headers), body=body, stream=request.stream)
