"""The path of a request, top to bottom, one named call a stage.

``handle`` returns a ``Reply`` when it can be given at once (a hit, a refusal), else a ``Relay`` to read from. It is
``begin``, which waits for nothing, and ``proceed``, which may: where every part that a hit needs is ``immediate``,
``begin`` goes all the way, and a door need not make a task for a hit.
"""

from __future__ import annotations

import asyncio

from pennyworth.decide import admit, passing, switches
from pennyworth.decide.admit import Refuse
from pennyworth.decide.allowance import Limit
from pennyworth.engine import heads
from pennyworth.engine.allowances import Allowances
from pennyworth.engine.books import Books
from pennyworth.engine.coalesce import Flights
from pennyworth.engine.flight import Flight
from pennyworth.engine.items import AT_ONCE
from pennyworth.engine.keeper import Keeper
from pennyworth.engine.lookup import Lookup
from pennyworth.engine.once import Once
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.permits import Permits
from pennyworth.engine.pilot import Pilot
from pennyworth.engine.relay import Relay
from pennyworth.engine.replays import Replays
from pennyworth.engine.saying import UNSAYABLE
from pennyworth.engine.state import State
from pennyworth.engine.through import ThroughRelay, case_of, counted_here
from pennyworth.engine.triage import Triage
from pennyworth.outcome import Kept, Layer
from pennyworth.ports import Similar
from pennyworth.request import Caller, Dialect, Key, Request, Through
from pennyworth.view import View
from pennyworth.wire.dialects import CODECS

_FULL = Refuse(
    503,
    "overloaded",
    "This worker has as many calls under way as limits.max_in_flight allows. Send the request again in a second.",
    1,
)
_NOT_CACHED = Refuse(504, "only_if_cached", "Cache-Control: only-if-cached, and no kept answer fits. Ask without it.")
"""RFC 9111 §5.2.1.7 asks for 504."""


class Engine:
    """Made by ``assemble``; one per process. ``state`` is what it knows, ``keeper.change`` how the control row moves."""

    def __init__(
        self,
        state: State,
        triage: Triage,
        lookup: Lookup,
        similar: Similar,
        books: Books,
        keeper: Keeper,
        pilot: Pilot,
        replays: Replays,
        once: Once,
        allowances: Allowances,
    ) -> None:
        self.state = state
        self._allowances = allowances
        self.keeper = keeper
        self.flights = Flights()
        self._similar = similar
        self._books = books
        self._pilot = pilot
        self._lookup = lookup
        self._replays = replays
        self._once = once
        self._triage = triage
        self._permits = Permits()
        self._immediate = lookup.immediate and similar.immediate
        state.forgetful += (self._replays.drop, triage.drop)

    async def handle(self, request: Request) -> Reply | Relay:
        """Serves one request."""
        begun = self.begin(request)
        return await self.proceed(begun) if isinstance(begun, Passage) else begun

    def begin(self, request: Request) -> Reply | Relay | Passage:
        """As far as it goes without waiting; a ``Passage`` is to be given to ``proceed``."""
        if request.through is not None:
            return self._pass_through(request, request.through)
        p = self._enter(request)
        return self._at_once(p) if self._immediate and request.n <= AT_ONCE and isinstance(p, Passage) else p

    async def offer(self, request: Request) -> Reply | Passage:
        """A kept answer or a refusal; else the passage of a request that no call is made for here."""
        p = self._enter(request)
        return (await self.try_hit(p) or p) if isinstance(p, Passage) else p

    def _enter(self, request: Request) -> Reply | Passage:
        """Whether it may be asked, by whom and of whom."""
        view = self.state.snapshot()
        match admit.admit(request, view):
            case Refuse() as no:
                return self._no(request, view, no)
        case = self._triage.decide(request, view)
        if isinstance(case, Refuse):
            return self._no(request, view, case)
        grant = view.tenants.grants.get(request.caller.client)
        permit = self._permits.of(grant, case, view)
        if permit is not None and permit.barred is not None:
            return self._no(request, view, permit.barred, permit.barred.code)
        p = Passage(self._books.next_id(view.wall_s), view, case, self.state.terms)
        if permit is not None:
            p.fallbacks, p.alone = permit.fallbacks, permit.alone
        if grant is not None and grant.limited and (over := self._allowances.enter(p, grant)) is not None:
            return self._no(request, view, over)
        if case.verdict.why == "sampled" and p.exact is not None:
            p.repeats_sample = self.state.sampled_again(p.exact)
        return p

    def _pass_through(self, request: Request, through: Through) -> Reply | Relay:
        """What is no dialect's goes to its provider as it came."""
        view = self.state.snapshot()
        taken = admit.admit(request, view)
        if isinstance(taken, Refuse):
            return self._no(request, view, taken)
        target = passing.target(through, view.plan)
        if isinstance(target, Refuse):
            return self._no(request, view, target, target.code)
        grant = view.tenants.grants.get(request.caller.client)
        if (bar := passing.barred(through, grant, target)) is not None:
            return self._no(request, view, bar, bar.code)
        p = Passage(self._books.next_id(view.wall_s), view, case_of(request, through, target, view), self.state.terms)
        if (
            grant is not None
            and grant.limited
            and (over := self._allowances.pass_through(p, through, grant)) is not None
        ):
            return self._no(request, view, over)
        if through.counts and not passing.counted_by(target):
            return counted_here(p, self._books)
        if len(self.flights) >= view.plan.limits.max_in_flight:
            return self._no(request, view, _FULL)
        return ThroughRelay(p, self._lead(p), self._books, self._replays, self._ask_again)

    async def proceed(self, p: Passage) -> Reply | Relay:
        """A kept answer, or a call that is shared or led; once, where the caller wants to be sure of that."""
        if p.request.once and not p.once:
            return await self._serve_once(p)
        if reply := await self.try_hit(p):
            return reply
        if p.request.directives.only_if_cached:
            return self._no(p.request, p.view, _NOT_CACHED)
        return await self._join_or_lead(p)

    async def _join_or_lead(self, p: Passage) -> Reply | Relay:
        """A call of its own, if its caller may still have one."""
        if len(self.flights) >= p.view.plan.limits.max_in_flight:
            return self._no(p.request, p.view, _FULL)
        flight = self._shared(p)
        if flight is None and p.purse is not None and (no := self._allowances.pay(p)) is not None:
            return await self._at_limit(p, no)
        return self._relay(p, flight or self._lead(p))

    async def _at_limit(self, p: Passage, no: Refuse | Limit) -> Reply | Relay:
        """Beyond an allowance: refused, or asked of the model that its operator named for this."""
        asked = p.asked or p.case
        if isinstance(no, Refuse):
            return self._no(asked.request, p.view, no)
        case = self._triage.decide(CODECS[p.request.dialect].renamed(p.request, no.downgrade_to), p.view)
        if isinstance(case, Refuse):
            # A model that has no words for the request is no way out, and the caller has not asked for it.
            refused = self._allowances.refusal(p, no) if case.code in UNSAYABLE else case
            return self._no(asked.request, p.view, refused)
        permit = self._permits.of(p.view.tenants.grants.get(p.request.caller.client), case, p.view)
        if permit is not None and permit.barred is not None:
            return self._no(asked.request, p.view, permit.barred, permit.barred.code)
        p.divert(asked, case)
        if permit is not None:
            p.fallbacks, p.alone = permit.fallbacks, permit.alone
        return await self.proceed(p)

    async def _serve_once(self, p: Passage) -> Reply | Relay:
        match await self._once.begin(p):
            case Refuse() as no:
                reply = self._no(p.request, p.view, no)
                if not no.retry_after_s:
                    reply.headers.append(heads.NO_RETRY)
                return reply
            case Flight() as flight:
                return self._relay(p, flight)
            case Reply() as again:
                return again
        try:
            given = await self.proceed(p)
        except BaseException:
            self._once.not_made(p)
            raise
        self._once.made(p, given)
        return given

    def _at_once(self, p: Passage) -> Reply | Relay | Passage:
        """Drives ``proceed`` without a task and its turns of the loop (83 µs against 435 µs a hit)."""
        work = self.proceed(p)
        try:
            work.send(None)
        except StopIteration as done:
            given: Reply | Relay = done.value
            return given
        work.close()
        self._immediate = False
        self.state.trouble("store", "a store or index that calls itself immediate has suspended; it is waited for now")
        return p

    async def try_hit(self, p: Passage) -> Reply | None:
        """A kept answer, if there is one to give."""
        found = await self._lookup.find(p)
        if found is not None:
            for kept in found.each:
                await self.keeper.renew(p, kept)
            p.reason = (
                f"{found.served} hit" if p.asked is None else f"{found.served} hit of {p.request.model}, beyond a limit"
            )
            return self._replays.give(p, found.kept, found.served)
        alike = await self._find_similar(p)
        return self._replays.give(p, alike, "semantic") if alike else None

    async def _find_similar(self, p: Passage) -> Kept | None:
        if not (p.verdict.look and p.exact and p.batch is None and self._allows("semantic", p, p.exact)):
            return None
        return await self._similar.find(p.request)

    def _shared(self, p: Passage) -> Flight | None:
        """A call under way for the very same question."""
        p.shares = p.verdict.share and not p.alone and p.exact is not None and self._allows("coalesced", p, p.exact)
        flight = self._under_way(p) if p.shares else None
        if flight is not None:
            p.reason = "joined an identical request in flight"
        elif p.verdict.look:
            p.reason = "no kept answer" if p.batch is None else p.batch.told
        if p.asked is not None:
            p.reason = f"{p.request.model} asked instead: beyond a limit; {p.reason}"
        return flight

    def _under_way(self, p: Passage) -> Flight | None:
        """One that does for this passage what its own would: on the same terms, and as patient."""
        flight = self.flights.find(p.exact, p.epoch) if p.exact else None
        if flight is None or flight.terms is not p.terms or flight.patience_s < p.patience_s:
            return None
        return flight

    def _lead(self, p: Passage) -> Flight:
        """A new flight with this passage in front; it can be joined from now on."""
        p.leads = True
        key = p.exact if p.shares else None
        flight = Flight(p.terms, p.patience_s)
        self.flights.add(flight, key, p.epoch)
        flight.task = asyncio.get_running_loop().create_task(self._pilot.fly(flight, p, self.flights))
        return flight

    def _ask_again(self, p: Passage, flight: Flight) -> Flight | None:
        """A follower whose flight ended by a defect of ours asks once more: all of them together, in one call. A
        failure of the provider's has been retried in the flight."""
        if p.leads or p.retried or p.exact is None or not flight.defective or flight.fed:
            return None
        p.retried = True
        if (found := self._under_way(p)) is not None:
            return found
        return self._lead(p) if p.purse is None or self._allowances.pay(p) is None else None

    def _relay(self, p: Passage, flight: Flight) -> Relay:
        return Relay(p, flight, self._books, self._replays, self._ask_again)

    def _no(self, request: Request, view: View, no: Refuse, reason: str = "") -> Reply:
        flavour = request.through.flavour if request.through is not None else None
        model, dialect = request.model, request.dialect
        if no.code == "cannot_translate":  # its message quotes the caller, and receipts hold nothing of what was asked
            reason = f"{no.code}: {no.param}"
        return self.refuse(request.caller, view, no, model, dialect=dialect, reason=reason, said_in=flavour)

    def refuse(
        self,
        caller: Caller,
        view: View,
        no: Refuse,
        model: str = "",
        *,
        dialect: Dialect = "chat",
        reason: str = "",
        said_in: Dialect | None = None,
    ) -> Reply:
        """Says no in the caller's dialect, with a receipt. ``reason`` stands there instead of a message that quotes
        the caller. ``said_in``: the dialect in which he reads it, where that is another."""
        receipt = self._books.refuse(caller, view, no.status, reason or no.message, model, dialect)
        head = [heads.JSON, (b"x-pennyworth-receipt", receipt.id.encode())]
        if no.retry_after_s:
            head.append((b"retry-after", str(no.retry_after_s).encode()))
        if no.final:
            head.append((b"x-should-retry", b"false"))  # the official SDKs would ask again after any 429
        problem = CODECS[said_in or dialect].problem
        return Reply(no.status, head, problem(no.status, no.message, code=no.code, param=no.param))

    async def end(self, why: str) -> None:
        """Ends every flight and waits until each is booked; readers get an error event that says why."""
        flying = self.flights.abort(why)
        if flying:
            await asyncio.wait(flying, timeout=2.0)

    def _allows(self, layer: Layer, p: Passage, key: Key) -> bool:
        return switches.allows(layer, p.route, p.view.plan, p.view.control, key)
