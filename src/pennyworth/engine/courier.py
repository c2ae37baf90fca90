"""Carries a request to one target until it gives a reply or there is no point in asking it again.

Waits for room, retries what may pass, hedges where the route says so, and folds what it sees into the target's health.
All of it before the reply begins: once something has reached a caller, what was sent stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pennyworth.decide import fault, retrying
from pennyworth.engine.books import Books
from pennyworth.engine.flight import Flight
from pennyworth.engine.health import TargetHealth
from pennyworth.engine.lessons import Lessons
from pennyworth.engine.passage import Passage
from pennyworth.engine.race import Race
from pennyworth.engine.sending import Errand, Sending, Sent
from pennyworth.engine.state import State
from pennyworth.engine.turned_away import left_alone, left_waiting, no_room
from pennyworth.plan import Persistence, Target
from pennyworth.ports import Upstream

Land = Callable[[Sent], None]


class Courier:
    """One flight's courier. ``land`` is what ``Sending`` calls when a stream has come to its end."""

    def __init__(self, state: State, upstream: Upstream, books: Books, flight: Flight, p: Passage, land: Land) -> None:
        self._state = state
        self._lessons = Lessons(state)
        self._upstream = upstream
        self._books = books
        self._flight = flight
        self._p = p
        self._land = land
        self._now = asyncio.get_running_loop().time
        asked = p.target.provider.total_s
        self._deadline = self._now() + (min(asked, p.request.timeout_s) if p.request.timeout_s else asked)

    async def carry(self, target: Target, why: str) -> Sent:
        """What stands with this target. A flight that nobody wants any more ends at once."""
        health = self._state.healths.of(target)
        spec = target.provider.persistence
        health.offered(spec)
        tries = 0
        while True:
            sent = await self._once(target, health, spec, why if not tries else f"retry {tries}")
            tries += 1
            found = fault.judge(sent.outcome)
            again = found.retry and self._flight.wanted and not self._flight.fed
            pause = self._pause(spec, tries, sent) if again else None
            if pause is None or health.rest_s(self._now()) or not health.spend_retry():
                return sent
            if not await self._wait(pause):
                return sent

    async def _once(self, target: Target, health: TargetHealth, spec: Persistence, why: str) -> Sent:
        if turned := left_alone(self._state.healths, health, target, self._p, self._now()):
            self._state.counters.turn_away("resting", target.name)
            return turned
        try:
            entered = await health.enter(spec, min(spec.wait_s, self._deadline - self._now()))
        except asyncio.CancelledError:
            return left_waiting(target, self._flight)
        if not entered:
            self._state.counters.turn_away("no_room", target.name)
            return no_room(target, health, self._now())
        self._lessons.asking(health, target, self._p)
        started, sent = self._now(), None
        try:
            sent = await self._send(target, health, why)
            return sent
        finally:
            health.leave()
            self._lessons.learn(health, self._p, sent, started)

    async def _send(self, target: Target, health: TargetHealth, why: str) -> Sent:
        race = Race()
        first = self._sending(target, why, race)
        times = health.streams if self._p.request.stream else health.whole
        if not self._p.route.hedge or times.p95_s > self._deadline - self._now():
            return await first.run(self._upstream)
        return await self._hedged(first, race, target, health, times.p95_s)

    def _sending(self, target: Target, why: str, race: Race) -> Sending:
        errand = Errand(target, why, max(self._deadline - self._now(), 0.001), race)
        return Sending(self._flight, self._p, errand, self._books, self._state.clock, self._land)

    async def _hedged(self, first: Sending, race: Race, target: Target, health: TargetHealth, after_s: float) -> Sent:
        """A second call when the first is late to begin; whichever begins first is given."""
        running = [asyncio.ensure_future(first.run(self._upstream))]
        try:
            await asyncio.wait(running, timeout=after_s)
            if not running[0].done() and race.winner is None and health.spend_retry():
                second = self._sending(target, "hedge: the first call was late", race)
                running.append(asyncio.ensure_future(second.run(self._upstream)))
            return await _first_good(running)
        except asyncio.CancelledError:
            for one in running:
                one.cancel()
            return (await asyncio.gather(*running))[0]

    def _pause(self, spec: Persistence, tries: int, sent: Sent) -> float | None:
        asked = retrying.asked_pause_s(sent.headers, self._state.clock.wall_s())
        chance = self._p.view.draw("retry", f"{self._p.id}/{tries}".encode())
        return retrying.pause_s(spec, tries, asked, self._deadline - self._now(), chance)

    async def _wait(self, pause_s: float) -> bool:
        """Whether the flight is still wanted after the pause."""
        try:
            await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            return False
        return self._flight.wanted


async def _first_good(running: Sequence[asyncio.Future[Sent]]) -> Sent:
    """The first call that has something to give; if none has, the last to fail."""
    waiting = set(running)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if fault.judge(one.result().outcome).kind == "none" and one.result().outcome.ending != "outrun":
                if waiting:
                    await asyncio.wait(waiting)  # called off: it ends at once, and its cost is on the receipt
                return one.result()
        if not waiting:
            return next(iter(done)).result()
