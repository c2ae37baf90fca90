"""Keeps callers within their allowances: takes requests, sets aside what a call may cost, and refuses what is beyond.

All of it happens in memory, out of what this worker holds of the shared accounts; they are asked when that runs out (some
60 µs), so nothing here waits. Budgets are no optimisation: while the accounts cannot be read, whoever has limits and
nothing in hand is refused.
"""

from __future__ import annotations

from pennyworth.clients import AtLimit
from pennyworth.decide import allowance, passing, worst
from pennyworth.decide.admit import Refuse
from pennyworth.decide.allowance import Limit
from pennyworth.engine.accounts import Accounts
from pennyworth.engine.holding import Holding
from pennyworth.engine.passage import Passage
from pennyworth.engine.purse import Held, Hold, Need, Purse
from pennyworth.engine.saying import say
from pennyworth.engine.state import State
from pennyworth.errors import ConfigError, RequestError, StoreError
from pennyworth.plan import Target
from pennyworth.request import Request, Through
from pennyworth.view import Grant

_BROKEN_S = 60.0
_KINDS = {"pico": "budget", "requests": "requests", "tokens": "tokens"}


class Allowances:
    """Used by the engine's own thread alone."""

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._state = state
        self._accounts = accounts
        self._purses: dict[str, Purse] = {}

    def enter(self, p: Passage, grant: Grant) -> Refuse | None:
        """Takes one request of the rates, and turns away whose call the budget could not pay for any more."""
        purse = self._purses.get(grant.client)
        if purse is None or purse.grant is not grant or p.view.wall_s >= purse.until_s:
            purse = self._purses[grant.client] = self._filled(grant, p.view.wall_s)
        p.purse = purse
        if purse.broken:
            return self._unavailable()
        try:
            if short := [limit for limit, holding in purse.requests if not self._take_one(holding)]:
                return self._beyond_rate(p, allowance.strictest(short))
        except StoreError:
            return self._unavailable()
        for limit, holding in purse.money:
            if holding.short and limit.at_limit == "refuse" and not self._could_fit(p, purse, holding.left):
                return self.refusal(p, limit)
        return None

    def pass_through(self, p: Passage, through: Through, grant: Grant) -> Refuse | None:
        """``enter`` and ``pay`` for what is passed through: it counts as a request, and what of it has a price is set
        aside. It is given leave beside its caller's limits, so the rest is not held against them."""
        if (over := self.enter(p, grant)) is not None or (over := p.barred) is not None:
            return over
        if p.beyond is not None:
            return passing.beyond(p.beyond)
        if passing.costs_nothing(through) or p.terms.rates.rate(p.target, self._state.clock.wall_s()) is None:
            return None
        no = self.pay(p)
        return passing.beyond(no) if isinstance(no, Limit) else no

    def pay(self, p: Passage) -> Refuse | Limit | None:
        """Sets aside what a call to the passage's target may cost at most. A ``Limit``: it is reached, and the model it
        names for that is to be asked instead."""
        assert p.purse is not None
        if p.barred is not None:
            return p.barred
        if p.beyond is not None and p.asked is None:
            return p.beyond
        hold = Hold(p.purse, rates=p.asked is None)
        no = self._set_aside(p, hold, p.target, self._need(p, p.target, p.purse))
        if no is None:
            p.hold = hold
        return no

    def again(self, p: Passage, target: Target, *, beside: bool = False) -> Refuse | None:
        """Before each further call for a passage: sets aside what is missing for it, or says that it must not be made.

        ``beside``: an earlier call is under way still, and may cost all that was set aside so far.
        """
        if p.hold is None or p.purse is None:
            return None
        need = self._need(p, target, p.purse)
        if need is not None:
            spoken_for = p.hold.pico if beside else sum(attempt.spent.pico for attempt in p.attempts)
            need = Need(max(0, spoken_for + need.pico - p.hold.pico))
            if not need.pico:
                return None
        no = self._set_aside(p, p.hold, target, need)
        return self.refusal(p, no) if isinstance(no, Limit) else no

    def _filled(self, grant: Grant, now_s: float) -> Purse:
        try:
            limits = allowance.limits_of(grant, lambda currency: self._state.terms.rates.book.exchange(currency, now_s))
        except ConfigError as error:  # a virtual key's: the configuration's own were looked at when it was read
            self._state.trouble("budget", str(error))
            return Purse(grant, now_s + _BROKEN_S, broken=True)
        held = [self._accounts.held(limit, now_s) for limit in limits]
        until_s = min([one.holding.account.until_s for one in held], default=float("inf"))
        money, requests, tokens = (_of_unit(held, unit) for unit in ("pico", "requests", "tokens"))
        return Purse(grant, until_s, money, requests, tokens)

    def _take_one(self, holding: Holding) -> bool:
        if not holding.reserve(1, self._accounts):
            return False
        holding.settle(1, 1)
        return True

    def _could_fit(self, p: Passage, purse: Purse, left: int) -> bool:
        need = self._need(p, p.target, purse)
        return need is not None and need.pico <= left

    def _set_aside(self, p: Passage, hold: Hold, target: Target, need: Need | None) -> Refuse | Limit | None:
        assert p.purse is not None
        if need is None:
            self._count("unpriced", "refuse")
            return allowance.unpriced(p.purse.money[0].limit, target.name)
        try:
            short = hold.reserve(need, self._accounts)
        except StoreError:
            return self._unavailable()
        if not short:
            return None
        decides = allowance.strictest(short)
        if _downgrades(decides, p) and p.asked is None and p.hold is None:
            self._count(_KINDS[decides.unit], "downgrade")
            return decides
        return self.refusal(p, decides)

    def _need(self, p: Passage, target: Target, purse: Purse) -> Need | None:
        """``None``: the target has no price, and there is a budget to keep."""
        tokens = worst.about(p.asks(target)) if purse.tokens else 0
        if not purse.money:
            return Need(0, tokens)
        rate = p.terms.rates.rate(target, self._state.clock.wall_s())
        return Need(worst.price(worst.bound(_sent(p, target)), rate.tariff), tokens) if rate else None

    def _beyond_rate(self, p: Passage, limit: Limit) -> Refuse | None:
        """Refused at once, or later where no kept answer is found, or sent to another model then."""
        if _downgrades(limit, p):
            p.beyond = limit
            self._count(_KINDS[limit.unit], "downgrade")
            return None
        no = self.refusal(p, limit)
        if limit.at_limit == "refuse":
            return no
        p.barred = no
        return None

    def refusal(self, p: Passage, limit: Limit) -> Refuse:
        """What is told of a limit that is reached."""
        assert p.purse is not None
        held = next(one for one in (*p.purse.money, *p.purse.requests, *p.purse.tokens) if one.limit is limit)
        at_limit: AtLimit = "cache_only" if limit.at_limit == "cache_only" else "refuse"
        self._count(_KINDS[limit.unit], at_limit)
        return allowance.refusal(limit, held.holding.left, p.view.wall_s)

    def _unavailable(self) -> Refuse:
        self._count("unavailable", "refuse")
        return allowance.UNAVAILABLE

    def _count(self, what: str, action: str) -> None:
        counts, name = self._state.counters.limited, f"{what}/{action}"
        counts[name] = counts.get(name, 0) + 1


def _sent(p: Passage, target: Target) -> Request:
    """As the target reads it: a translation may put in a cap, and then that is what the call may cost."""
    if p.batch is not None:
        return p.asks(target)
    if target is p.target:
        return p.case.saying.request
    try:
        return say(p.request, target, p.route).request
    except RequestError:
        return p.request  # it is not asked


def _downgrades(limit: Limit, p: Passage) -> bool:
    """Another model's text will do; another model's vectors cannot be compared with those the caller has already."""
    return limit.at_limit == "downgrade" and p.request.dialect != "embeddings"


def _of_unit(held: list[Held], unit: str) -> tuple[Held, ...]:
    return tuple([one for one in held if one.limit.unit == unit])
