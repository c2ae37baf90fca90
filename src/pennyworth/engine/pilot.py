"""Flies a flight: asks the policy, sends, settles the leader, keeps the answer, tells the readers.

Runs as a task of the engine's own, so that a caller who leaves takes nothing down with him.
"""

from __future__ import annotations

from pennyworth.decide import trouble
from pennyworth.engine.books import Books
from pennyworth.engine.coalesce import Flights
from pennyworth.engine.flight import Flight
from pennyworth.engine.keeper import Keeper
from pennyworth.engine.lookup import Lookup
from pennyworth.engine.passage import Passage
from pennyworth.engine.sending import Sending
from pennyworth.engine.state import State
from pennyworth.outcome import Ending, Outcome
from pennyworth.ports import Upstream
from pennyworth.routing import POLICIES, Seen

_NEVER_LEFT = Outcome(ending="caller_left", status=0, fault="every caller left before the call was made")


class Pilot:
    def __init__(self, state: State, upstream: Upstream, books: Books, lookup: Lookup, keeper: Keeper) -> None:
        self._state = state
        self._lookup = lookup
        self._upstream = upstream
        self._books = books
        self._keeper = keeper

    async def fly(self, flight: Flight, p: Passage, flights: Flights) -> None:
        """The whole flight. It ends with the leader's receipt written and every reader told, whatever happens, and is
        one of the ``flights`` until then."""
        try:
            if flight.take_off() and await self._look_again(flight, p):
                return
            outcome = await self._follow_policy(flight, p) if flight.wanted else _NEVER_LEFT
            self._land(flight, p, outcome)
            flight.finish()  # nobody waits for the keeping
            await self._keeper.keep(p, outcome)
        except Exception as error:  # the engine's edge: a defect of ours must not leave readers waiting for ever
            self._state.defect("engine", error)
            p.notes.append(f"engine: {type(error).__name__}")
            self._land(flight, p, Outcome(ending="cut", status=0, fault="the gateway itself failed"))
        finally:
            flight.finish()
            flights.remove(flight)

    async def _look_again(self, flight: Flight, p: Passage) -> bool:
        """Another flight may have kept the answer while a store that suspends was being asked."""
        if self._lookup.immediate or not p.shares:
            return False
        found = await self._lookup.find(p)
        if found is None:
            return False
        flight.give_instead(found.kept, found.served)
        return True

    async def _follow_policy(self, flight: Flight, p: Passage) -> Outcome:
        """The policy's last outcome stands."""
        steps = POLICIES[p.route.policy](p.request, p.view, p.target)
        send = next(steps)
        while True:
            sending = Sending(
                flight, p, send.target, self._books, self._state.clock, lambda seen: self._land(flight, p, seen)
            )
            outcome = await sending.run(self._upstream)
            try:
                send = steps.send(Seen(outcome, self._state.snapshot()))
            except StopIteration:
                return outcome

    def _land(self, flight: Flight, p: Passage, outcome: Outcome) -> None:
        """The reply is known to its end: the leader's receipt, before anybody gets the last byte. Once."""
        if flight.outcome is not None or flight.stand_in is not None:
            return
        if trouble.failed(outcome) and not flight.fed and p.stale is not None and not p.left:
            flight.give_instead(p.stale, "stale")
            return  # each reader's receipt is written when it is given the stale answer
        flight.settle(outcome, p.attempts[-1].usage if p.attempts else None)
        ending: Ending = "caller_left" if p.left else outcome.ending
        gave = not p.left and trouble.gives(outcome)
        status = 499 if p.left else 200 if flight.fed else outcome.status if gave else trouble.status_of(outcome)
        self._books.settle(p, served="upstream" if gave else "none", ending=ending, status=status)
