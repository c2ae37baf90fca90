"""One call to a provider: from the intent in the journal to the recorded outcome, feeding the flight on the way.

Role and start events wait for content; the terminal event waits for the receipt. What fails before content came is
not given to anybody here: another call may do better, and the pilot lands what stands in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from pennyworth import canonical
from pennyworth.engine.books import Books
from pennyworth.engine.flight import Flight
from pennyworth.engine.passage import Passage
from pennyworth.engine.race import Race
from pennyworth.engine.saying import Saying
from pennyworth.errors import UpstreamError, UpstreamFault
from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.plan import Target
from pennyworth.ports import Call, Clock, Exchange, Upstream
from pennyworth.request import Edit, Request
from pennyworth.wire import edits
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.shown_key import shown_key
from pennyworth.wire.sse import EventSplitter

_LONGEST_EVENT = 8 * 2**20
_USUAL = 0.9


class Sent(NamedTuple):
    """What came of a call. ``headers``: the provider's. ``usage``: of the reply, estimated where it gave none.
    ``served``: whether it is all the provider's.
    """

    outcome: Outcome
    target: Target
    headers: tuple[tuple[str, str], ...] = ()
    usage: Usage | None = None
    served: Literal["upstream", "partial"] = "upstream"


class Errand(NamedTuple):
    """A request to be carried to a target.

    Attributes:
        saying: the request in the words of this target.
        why: "" for the target a request names; else what this one is asked for.
        deadline: by the loop's clock, for everything that is done before the reply begins.
        land: called when a reply is known to its end, before its last byte is released.
    """

    flight: Flight
    p: Passage
    target: Target
    saying: Saying
    why: str
    deadline: float
    land: Callable[[Sent], None]


class Sending:
    """``run`` once. ``race``: those it runs against, if any."""

    def __init__(
        self, errand: Errand, why: str, within_s: float, books: Books, clock: Clock, race: Race | None = None
    ) -> None:
        self._flight, self._p, self._target = errand.flight, errand.p, errand.target
        self._land = errand.land
        self._why = why
        self._within_s = within_s
        self._race = race
        self._books = books
        self._clock = clock
        self._saying = errand.saying
        self._codec = CODECS[errand.saying.request.dialect]
        self._edits = self._codec.edits(errand.saying.request, errand.target.provider.quirks)
        self._recorder = self._codec.recorder()
        self._raw: list[bytes] = []
        self._size = 0
        self._let_go = False
        self._status = 0
        self._streamed = False
        self._headers: tuple[tuple[str, str], ...] = ()
        self._request_id = ""
        self._held: list[bytes] = []
        self._began = False
        self._landed = False
        self._sent: Sent | None = None
        self._broke: UpstreamFault | None = None
        self._task: asyncio.Task[object] | None = None
        self._started_ns = clock.mono_ns()
        self._first_ns = 0
        if race is not None:
            race.enter(self)

    async def run(self, upstream: Upstream) -> Sent:
        """What came of it, whatever happens; a cancelled call has an outcome too."""
        if self._race is not None:
            self._task = asyncio.current_task()
        self._books.intend(self._p, self._target, self._race.size if self._race is not None else 1)
        exchange: Exchange | None = None
        fault = ""
        try:
            exchange = await self._open(upstream)
            await self._receive(exchange)
        except UpstreamError as error:
            fault, self._broke = error.message, error.fault
        except asyncio.CancelledError:  # by Flight.abort or call_off: it is booked, then the task ends by itself
            fault, self._broke = self._flight.aborted or "every caller left", "cancelled"
        finally:
            if exchange is not None:
                exchange.close()
        if self._sent is None:
            return self._conclude(self._outcome(fault))
        # What came after the end of a reply counts against it, though nobody was given it.
        return self._sent._replace(outcome=self._outcome(fault)) if self._landed else self._sent

    async def _open(self, upstream: Upstream) -> Exchange:
        """A stream has no time for the whole of it; but where less than usual is left, it must begin within that."""
        call = call_for(self._saying.request, self._target, self._edits, self._within_s)
        if not call.stream or self._within_s > _USUAL * self._target.provider.idle_s:
            return await upstream.open(call)
        try:
            async with asyncio.timeout(self._within_s):
                return await upstream.open(call)
        except TimeoutError as error:
            late = f"it timed out: no reply began within {self._within_s:.1f} s, which is what was left"
            raise UpstreamError("timeout", self._target.name, late) from error

    def call_off(self) -> None:
        """Another call for the same reply was faster: this one is booked as it stands, and ends."""
        if self._sent is None:
            outcome = self._outcome("another call was faster")
            self._note(msgspec.structs.replace(outcome, ending="outrun", broke="cancelled"))
            if self._task is not None:
                self._task.cancel()

    async def _receive(self, exchange: Exchange) -> None:
        self._status = exchange.status
        self._headers = tuple(exchange.headers)
        headers = dict(exchange.headers)
        self._request_id = headers.get("x-request-id") or headers.get("request-id", "")
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
            self._raw = [b"".join(self._raw)]
            self._recorder.feed_json(self._raw[0])

    def _take(self, data: bytes) -> None:
        if not self._first_ns:
            self._first_ns = self._clock.mono_ns()
        self._size += len(data)
        if not self._let_go:
            self._raw.append(data)
            if self._began and self._size > self._p.view.plan.cache.max_answer_bytes and self._flight.leave_alone():
                self._let_go = True
                self._raw.clear()
        limit = self._p.view.plan.limits.max_reply_bytes
        if self._size > limit:
            self._raw.clear()
            raise self._too_large(f"the reply is longer than limits.max_reply_bytes ({limit})")

    def _too_large(self, message: str) -> UpstreamError:
        return UpstreamError("too_large", self._target.name, message)

    def _pass(self, events: list[bytes]) -> None:
        self._recorder.feed_all(events)
        if self._sent is not None:
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
            expected=self._saying.request.n,
            fault=fault,
            request_id=self._request_id,
        )
        if self._began or self._broke:
            long = self._size if self._let_go else 0
            outcome = msgspec.structs.replace(outcome, began=self._began, broke=self._broke or "", long=long)
        # Others may be reading on when the leader has left.
        if fault and not (self._flight.wanted or self._flight.aborted):
            return msgspec.structs.replace(outcome, ending="caller_left")
        if outcome.ending == "error":
            return msgspec.structs.replace(outcome, raw=self._struck(outcome.raw))
        return outcome

    def _conclude(self, outcome: Outcome) -> Sent:
        """The attempt's note, and for a stream seen to its end the receipt and its terminal event."""
        failed = outcome.ending in ("cut", "caller_left", "error") and not self._began
        if not failed and outcome.status < 300 and not self._claim():
            outcome = msgspec.structs.replace(outcome, ending="outrun")
            failed = True
        sent = self._note(outcome)
        if not self._streamed or failed or outcome.ending in ("cut", "caller_left"):
            return sent  # the policy may have another idea; the pilot lands what stands in the end
        self._landed = True
        self._land(sent)
        self._release()
        return sent

    def _claim(self) -> bool:
        if self._race is not None and not self._race.claim(self):
            return False
        self._flight.answers(self._target, self._headers, self._codec)
        return True

    def _release(self) -> None:
        if not self._held or not (self._began or self._claim()):
            return
        self._began = True
        events, self._held = self._held, []
        quoting = b'"error"' in b"".join(events)
        self._flight.push([self._struck(event) for event in events] if quoting else events)

    def _struck(self, said: bytes) -> bytes:
        """Without our credential, where an error inside a reply says it back: some providers quote what they refuse."""
        return self._target.provider.credential.struck_from(said) if b'"error"' in said else said

    def _note(self, outcome: Outcome) -> Sent:
        now = self._clock.mono_ns()
        first_ms = round(((self._first_ns or now) - self._started_ns) / 1e6, 3)
        total_ms = round((now - self._started_ns) / 1e6, 3)
        self._p.first_byte_ms = first_ms
        note = self._books.note(
            self._p,
            self._target,
            outcome,
            first_byte_ms=first_ms,
            total_ms=total_ms,
            edits=tuple([edit.field for edit in self._edits]) if self._edits else (),
            why=self._why,
            saying=self._saying,
        )
        self._p.attempts.append(note)
        self._sent = Sent(outcome, self._target, self._headers, note.usage)
        return self._sent


def call_for(request: Request, target: Target, changes: tuple[Edit, ...], within_s: float = 0.0) -> Call:
    """The HTTP call: the caller's bytes with the edits, and our credential or, where allowed, the caller's own."""
    provider = target.provider
    if target.model != request.model:
        changes = (*changes, Edit("model", canonical.encode(target.model), "the model's name at this provider"))
    codec = CODECS[request.dialect]
    headers = [("content-type", "application/json"), *request.vary, *provider.headers]
    if codec.HEADERS or (request.vary and provider.headers):
        headers = _once_each([*headers, *codec.HEADERS])
    if (key := shown_key(provider, request.caller)) is not None:
        headers.append(key)
    body = request.body
    if changes:
        body = edits.apply(body, changes, tuple([edit.field for edit in changes if edit.field in request.fields]))
    return Call(
        target=target,
        path=codec.PATH,
        headers=tuple(headers),
        body=body,
        stream=request.stream,
        within_s=within_s,
    )


def _once_each(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first of each name stands: what the caller says of the version of his dialect, then what the operator says."""
    found: dict[str, tuple[str, str]] = {}
    for header in headers:
        found.setdefault(header[0].lower(), header)
    return list(found.values())
