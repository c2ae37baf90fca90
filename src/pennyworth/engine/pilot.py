"""Flies a flight: asks the policy, sends, settles the leader, keeps the answer, tells the readers.

Runs as a task of the engine's own, so that a caller who leaves takes nothing down with him.
"""

from __future__ import annotations

import asyncio

from pennyworth.decide import trouble
from pennyworth.engine.books import Books
from pennyworth.engine.coalesce import Flights
from pennyworth.engine.courier import Courier, paid_once
from pennyworth.engine.flight import Flight
from pennyworth.engine.giving import gives, status_for
from pennyworth.engine.items import Items, not_put_together
from pennyworth.engine.keeper import Keeper
from pennyworth.engine.lookup import Lookup
from pennyworth.engine.passage import Passage
from pennyworth.engine.saying import Saying, say
from pennyworth.engine.sending import Errand, Sent
from pennyworth.engine.state import State
from pennyworth.engine.turned_away import passed_over, unspeakable
from pennyworth.errors import RequestError
from pennyworth.outcome import Ending, Outcome
from pennyworth.plan import Target
from pennyworth.routing import POLICIES, Seen, falling_back
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.sse import EventSplitter

_OUR_FAULT = Outcome(ending="cut", status=0, fault="the gateway itself failed")


class Pilot:
    def __init__(
        self, state: State, courier: Courier, books: Books, lookup: Lookup, items: Items, keeper: Keeper
    ) -> None:
        self._state = state
        self._lookup = lookup
        self._items = items
        self._courier = courier
        self._books = books
        self._keeper = keeper

    async def fly(self, flight: Flight, p: Passage, flights: Flights) -> None:
        """The whole flight. It ends with the leader's receipt written and every reader told, whatever happens, and is
        one of the ``flights`` until then."""
        try:
            if flight.take_off() and await self._look_again(flight, p):
                return
            sent = await self._follow_policy(flight, p) if flight.wanted else Sent(_not_sent(flight), p.target)
            self._land(flight, p, sent)
            if p.batch is None:
                flight.finish()  # nobody waits for the keeping, but for who may ask for half of a long batch at once
            await self._keeper.keep(p, sent.outcome)
        except asyncio.CancelledError:  # ended twice over, while what was under way was being ended already
            self._land(flight, p, Sent(_not_sent(flight), p.target))
            raise
        except Exception as error:  # the engine's edge: a defect of ours must not leave readers waiting for ever
            self._state.defect("engine", error)
            p.notes.append(f"engine: {type(error).__name__}")
            flight.defective = True
            self._land(flight, p, Sent(_OUR_FAULT, p.target))
        finally:
            flight.finish()
            flights.remove(flight)

    async def _look_again(self, flight: Flight, p: Passage) -> bool:
        """Another flight may have kept the answer while a store that suspends was being asked."""
        if self._lookup.immediate or not p.shares:
            return False
        try:
            found = await self._lookup.find(p)
        except asyncio.CancelledError:  # by Flight.abort, which has said so: the leader is settled all the same
            return False
        if found is None:
            return False
        flight.give_instead(found.kept, found.served)
        if p.left:  # nobody gives it to him, who settles by that
            self._books.settle(p, served="none", ending="caller_left", status=499)
        return True

    async def _follow_policy(self, flight: Flight, p: Passage) -> Sent:
        """What stands, by the policy's word or as the last that came."""
        now = asyncio.get_running_loop().time
        deadline = now() + p.patience_s
        steps = falling_back(POLICIES[p.route.policy](p.request, p.view, p.target), p.fallbacks)
        send, why = next(steps), ""
        seen: list[Sent] = []
        while True:
            # Whoever may still be asked has his share of the time: a provider that says nothing must not use up all of it.
            until = now() + (deadline - now()) / max(1, len(p.fallbacks) + 1 - len(seen))
            seen.append(await self._ask(flight, p, send.target, why, until))
            if not flight.wanted or flight.fed or paid_once(p):
                return seen[-1]
            if now() >= deadline:
                return seen[0]  # no time is left for another, who would only be blamed for it
            try:
                send = steps.send(Seen(seen[-1].outcome, self._state.snapshot()))
            except StopIteration as done:
                return next((sent for sent in seen if sent.outcome is done.value), seen[-1])
            why = send.reason

    async def _ask(self, flight: Flight, p: Passage, target: Target, why: str, until: float) -> Sent:
        """The reply of one target, asked in the words it understands."""
        try:
            saying = self._saying(p, target)
        except RequestError as error:
            p.notes.append(passed_over(target, error))
            return unspeakable(target, error)
        sent = await self._courier.carry(
            Errand(flight, p, target, saying, why, until, lambda sent: self._land(flight, p, sent))
        )
        if p.batch is None or target is not p.target:
            return sent
        whole = await self._items.completed(p, sent)
        if whole is not None:
            return whole
        if not flight.wanted or paid_once(p):
            return not_put_together(sent)
        p.batch.ask_all()
        return await self._ask(flight, p, target, "again: the kept items do not fit the new ones", until)

    def _saying(self, p: Passage, target: Target) -> Saying:
        if target is not p.target:
            if p.batch is not None:
                p.batch.ask_all()  # another model's vectors do not belong beside those that were found
            return say(p.request, target, p.route, nameless=p.shares)
        return p.case.saying if p.batch is None else Saying(p.batch.request)

    def _land(self, flight: Flight, p: Passage, sent: Sent) -> None:
        """The reply is known to its end: the leader's receipt, before anybody gets the last byte. Once."""
        if flight.outcome is not None or flight.stand_in is not None:
            return
        outcome = sent.outcome
        if trouble.failed(outcome) and not flight.fed and p.stale is not None and not p.left:
            flight.give_instead(p.stale, "stale")
            return  # each reader's receipt is written when it is given the stale answer
        flight.answers(sent.target, sent.headers, CODECS.get(outcome.dialect, flight.codec))
        flight.settle(outcome, sent.usage)
        p.answering = sent.target
        ending: Ending = "caller_left" if p.left else outcome.ending
        gave = not p.left and gives(p, flight, outcome)
        status = 499 if p.left else status_for(p, flight, outcome, gives=gave)
        self._books.settle(p, served=sent.served if gave else "none", ending=ending, status=status, usage=sent.usage)
        if gave and outcome.streamed and not flight.fed and outcome.ending == "error":
            _give_as_it_came(flight, outcome)


def _not_sent(flight: Flight) -> Outcome:
    if flight.aborted:
        return Outcome(ending="cut", status=0, fault=flight.aborted)
    return Outcome(ending="caller_left", status=0, fault="every caller left before the call was made")


def _give_as_it_came(flight: Flight, outcome: Outcome) -> None:
    """A stream that begins with an error: nobody did better, so the caller reads what a direct one would have read."""
    splitter = EventSplitter()
    events = splitter.feed(outcome.raw)
    if events:
        flight.push(events)
