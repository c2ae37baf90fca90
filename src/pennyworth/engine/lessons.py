"""Folds what came of a call into the health of its target and of the account that pays for it."""

from __future__ import annotations

import asyncio

from pennyworth.decide import breaker, fault, pace, retrying
from pennyworth.decide.breaker import Breaker
from pennyworth.decide.fault import Fault
from pennyworth.decide.headroom import headroom
from pennyworth.engine.alerts import Alerts
from pennyworth.engine.health import TargetHealth, account_of
from pennyworth.engine.passage import Passage
from pennyworth.engine.sending import Errand, Sent
from pennyworth.engine.state import State
from pennyworth.plan import Persistence, Target

_TOLD_AGAIN_S = 86400.0
"""Who was told that an account is used up is told again a day later, if it still is."""

_FAR = 3.0
"""So many times what all but one in twenty replies take."""


class Lessons:
    """``asking`` before a call is made, ``learn`` when it has ended."""

    def __init__(self, state: State, alerts: Alerts) -> None:
        self._state = state
        self._alerts = alerts
        self._now = asyncio.get_running_loop().time

    def asking(self, health: TargetHealth, errand: Errand) -> None:
        """In a rest that is over, this call finds out for all others."""
        if health.breaker.resting:
            health.breaker = breaker.asking(health.breaker)
        if self._state.healths.accounts_rest:
            account = account_of(errand.target, errand.p.request.caller)
            if (known := self._state.healths.account(account)).resting:
                self._state.healths.set_account(account, breaker.asking(known))

    def learn(self, health: TargetHealth, errand: Errand, sent: Sent | None, started: float) -> None:
        """``sent`` is ``None`` when we failed ourselves. ``started``: by the loop's clock."""
        if sent is None or (sent.outcome.broke == "timeout" and not self._had_time(health, errand, started)):
            self._learn_nothing(health, errand)
            return
        found, spec = fault.judge(sent.outcome), sent.target.provider.persistence
        if found.kind != "none" or health.breaker is not breaker.WELL:
            health.breaker = self._breaker(health.breaker, sent, found, spec)
        if found.kind == "exhausted" or self._state.healths.accounts_rest:
            self._account(sent, found, errand.p)
        if sent.outcome.status:
            self._room(health, sent, found, spec, started)
        if sent.outcome.ending == "complete":
            note = errand.p.attempts[-1]
            times, took_ms = (
                (health.streams, note.first_byte_ms) if sent.outcome.streamed else (health.whole, note.total_ms)
            )
            times.add(took_ms / 1000)

    def _learn_nothing(self, health: TargetHealth, errand: Errand) -> None:
        """If this call was to find out, another one may: of the target, and of the account."""
        health.breaker = breaker.unknown(health.breaker)
        account = account_of(errand.target, errand.p.request.caller)
        self._state.healths.set_account(account, breaker.unknown(self._state.healths.account(account)))

    def _had_time(self, health: TargetHealth, errand: Errand, started: float) -> bool:
        """Whether a reply that did not come in time speaks against its target, not for its caller's hurry: he waited as
        the operator would, or far longer than replies usually take, or half as long as the operator would have."""
        if not errand.p.request.timeout_s:
            return True
        streamed, provider = errand.p.request.stream, errand.target.provider
        times, usual_s = (health.streams, provider.idle_s) if streamed else (health.whole, provider.total_s)
        return errand.deadline - started >= min(_FAR * times.p95_s, usual_s / 2)

    def _breaker(self, before: Breaker, sent: Sent, found: Fault, spec: Persistence) -> Breaker:
        if found.trips:
            after = breaker.failed(before, spec, self._now())
            if after.resting and not before.resting:
                self._state.trouble("target", f"{sent.target.name}: {after.failures} calls in a row failed; it rests")
            return after
        if sent.outcome.ending in ("caller_left", "outrun") or sent.outcome.broke == "cancelled":
            return breaker.unknown(before)
        return breaker.answered(before)

    def _account(self, sent: Sent, found: Fault, p: Passage) -> None:
        """An account without money is told of once, not once a request."""
        name = account_of(sent.target, p.request.caller)
        before = self._state.healths.account(name)
        if found.kind == "exhausted":
            self._state.healths.set_account(name, breaker.exhausted(before, self._now()))
            self._tell(name, sent.target)
        elif before.resting:
            well = found.kind == "none" and sent.outcome.status
            self._state.healths.set_account(name, breaker.WELL if well else breaker.unknown(before))

    def _room(self, health: TargetHealth, sent: Sent, found: Fault, spec: Persistence, started: float) -> None:
        under_way, now, wall_s = health.under_way + 1, self._now(), self._state.clock.wall_s()  # this one has just left
        learnt = health.pace
        if found.kind == "limited":
            asked = retrying.asked_pause_s(sent.headers, wall_s)
            learnt = pace.limited(learnt, under_way, asked, spec.longest_pause_s, now, started)
        elif found.kind == "none":
            learnt = pace.succeeded(learnt, under_way)
        left = headroom(sent.headers, wall_s)
        if left is not None:
            for room in (left.requests, left.tokens):
                if room is not None and room.remaining <= 0 and room.reset_s:
                    learnt = pace.drained(learnt, now + min(room.reset_s, spec.longest_pause_s))
            health.requests_left = left.requests.remaining if left.requests else None
            health.tokens_left = left.tokens.remaining if left.tokens else None
        if learnt is not health.pace:
            health.set_pace(learnt)

    def _tell(self, account: str, target: Target) -> None:
        provider = target.provider.name
        self._alerts.raise_(
            "account_exhausted",
            provider,
            _spent_up(target),
            {"provider": provider, "model": target.model},
            once=f"account/{account}",
            until_s=self._state.clock.wall_s() + _TOLD_AGAIN_S,
        )


def _spent_up(target: Target) -> str:
    return (
        f"the account at {target.provider.name} has no money left, or its quota is used up: its models are left alone "
        "until somebody has paid. It is looked at again every five minutes"
    )
