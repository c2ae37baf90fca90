"""Carries a request to one target until it gives a reply or there is no point in asking it again.

Waits for room, retries what may pass, hedges where the route says so, and folds what it sees into the target's health.
All of it before the reply begins: once something has reached a caller, what was sent stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pennyworth.decide import fault, once, passing, retrying
from pennyworth.engine.allowances import Allowances
from pennyworth.engine.books import Books
from pennyworth.engine.health import TargetHealth
from pennyworth.engine.lessons import Lessons
from pennyworth.engine.passage import Passage
from pennyworth.engine.passing_on import PassingOn
from pennyworth.engine.race import Race
from pennyworth.engine.sending import Errand, Sending, Sent
from pennyworth.engine.state import State
from pennyworth.engine.turned_away import beyond_budget, left_alone, left_waiting, no_room
from pennyworth.ports import Upstream


class Courier:
    """``carry`` any number of errands at once."""

    def __init__(
        self, state: State, upstream: Upstream, books: Books, allowances: Allowances, lessons: Lessons
    ) -> None:
        self._state = state
        self._allowances = allowances
        self._upstream = upstream
        self._books = books
        self._now = asyncio.get_running_loop().time
        self._lessons = lessons

    async def carry(self, errand: Errand) -> Sent:
        """What stands with this target. A flight that nobody wants any more ends at once."""
        health = self._state.healths.of(errand.target)
        spec = errand.target.provider.persistence
        health.offered(spec)
        tries, why, sent = 0, errand.why, None
        while True:
            # For the first call of a request this was done before the flight.
            if (
                why
                and errand.p.hold is not None
                and (over := self._allowances.again(errand.p, errand.target)) is not None
            ):
                return sent or beyond_budget(errand.target, over)
            sent = await self._once(errand, health, why)
            tries += 1
            if sent.outcome.status == 200 and sent.outcome.ending == "complete":
                return sent
            again = fault.judge(sent.outcome).retry and errand.flight.wanted and not errand.flight.fed
            again = again and not paid_once(errand.p)
            pause = self._pause(errand, tries, sent) if again else None
            if pause is None or health.rest_s(self._now()) or not health.spend_retry():
                return sent
            if not await self._wait(errand, pause):
                return sent
            why = f"retry {tries}"

    async def _once(self, errand: Errand, health: TargetHealth, why: str) -> Sent:
        target, spec = errand.target, errand.target.provider.persistence
        if turned := left_alone(self._state.healths, health, errand, self._now()):
            self._state.counters.turn_away("resting", target.name)
            return turned
        if not health.enter_at_once():
            try:
                entered = await health.enter(spec, min(spec.wait_s, errand.deadline - self._now()))
            except asyncio.CancelledError:
                return left_waiting(target, errand.flight)
            if not entered:
                self._state.counters.turn_away("no_room", target.name)
                return no_room(target, health, self._now())
        self._lessons.asking(health, errand)
        started, sent = self._now(), None
        try:
            sent = await self._send(errand, health, why)
            return sent
        finally:
            health.leave()
            self._lessons.learn(health, errand, sent, started)

    async def _send(self, errand: Errand, health: TargetHealth, why: str) -> Sent:
        if errand.p.request.through is not None:
            within_s = self._within_s(errand)
            return await PassingOn(errand, why, within_s, self._books, self._state.clock).run(self._upstream)
        if not errand.p.route.hedge or errand.p.once:
            return await self._sending(errand, why).run(self._upstream)
        times = health.streams if errand.p.request.stream else health.whole
        race = Race()
        first = self._sending(errand, why, race)
        if times.p95_s > errand.deadline - self._now():
            return await first.run(self._upstream)
        return await self._hedged(errand, first, race, health, times.p95_s)

    def _sending(self, errand: Errand, why: str, race: Race | None = None) -> Sending:
        return Sending(errand, why, self._within_s(errand), self._books, self._state.clock, race)

    def _within_s(self, errand: Errand) -> float:
        return max(errand.deadline - self._now(), 0.001)

    async def _hedged(self, errand: Errand, first: Sending, race: Race, health: TargetHealth, after_s: float) -> Sent:
        """A second call when the first is late to begin; whichever begins first is given."""
        running = [asyncio.ensure_future(first.run(self._upstream))]
        try:
            await asyncio.wait(running, timeout=after_s)
            if not running[0].done() and race.winner is None and self._may_hedge(errand, health):
                second = self._sending(errand, "hedge: the first call was late", race)
                running.append(asyncio.ensure_future(second.run(self._upstream)))
                running[1].add_done_callback(lambda _: health.leave())
            return await _first_good(running)
        except asyncio.CancelledError:
            for one in running:
                one.cancel()
            return (await asyncio.gather(*running))[0]
        except Exception:  # a defect in one of them: the other must not run on, booked by nobody
            for one in running:
                one.cancel()
            await asyncio.wait(running)
            raise

    def _may_hedge(self, errand: Errand, health: TargetHealth) -> bool:
        """A hedge waits for no room, and takes it where it goes out. The first call may cost all that was set aside for
        it; the second needs as much again."""
        if not health.enter_at_once():
            return False
        if health.spend_retry() and self._allowances.again(errand.p, errand.target, beside=True) is None:
            return True
        health.leave()
        return False

    def _pause(self, errand: Errand, tries: int, sent: Sent) -> float | None:
        asked = retrying.asked_pause_s(sent.headers, self._state.clock.wall_s())
        chance = errand.p.view.draw("retry", f"{errand.p.id}/{tries}".encode())
        left = errand.deadline - self._now()
        return retrying.pause_s(errand.target.provider.persistence, tries, asked, left, chance)

    async def _wait(self, errand: Errand, pause_s: float) -> bool:
        """Whether the flight is still wanted after the pause."""
        try:
            await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            return False
        return errand.flight.wanted


def paid_once(p: Passage) -> bool:
    """A request that is to be paid for once, and may have been: nobody is asked again."""
    once_only = p.once or not passing.may_repeat(p.request)
    return bool(once_only and p.attempts) and once.may_be_paid(p.attempts[-1])


async def _first_good(running: Sequence[asyncio.Future[Sent]]) -> Sent:
    """The first call that has something to give; if none has, the last to fail."""
    waiting = set(running)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in [each for each in running if each in done]:  # in their order: that of a set is chance
            if fault.judge(one.result().outcome).kind == "none" and one.result().outcome.ending != "outrun":
                if waiting:
                    await asyncio.wait(waiting)  # called off: it ends at once, and its cost is on the receipt
                return one.result()
        if not waiting:
            return next(each for each in running if each in done).result()
