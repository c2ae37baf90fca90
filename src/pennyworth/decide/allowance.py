"""What may a caller still use? Allowances as limits on accounts, their windows, and what is said at the limit. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Literal

import msgspec

from pennyworth.clients import Allowance, AtLimit, Budget
from pennyworth.decide.admit import Refuse
from pennyworth.errors import ConfigError
from pennyworth.money import PICO, Money
from pennyworth.plan import Plan
from pennyworth.ports import Account
from pennyworth.view import Grant

Period = Literal["minute", "day", "month"]
Exchange = Callable[[str], Decimal | None]
"""Dollars for one unit of a currency now, or ``None``."""

MOST_PICO = 2**62
"""Beyond it sums of picodollars leave 64 bits: 4.6 million dollars a period."""

_STRICTNESS: Sequence[AtLimit] = ("refuse", "cache_only", "downgrade")
_DAY_S = 86_400


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of one subject.

    Attributes:
        subject: ``key:alice``, ``team:search`` or ``everyone``. ``unit``, ``ceiling``: how much of what, in a ``period``.
        said: the limit in words: ``10 USD a day``.
    """

    subject: str
    unit: Literal["pico", "requests", "tokens"]
    period: Period
    ceiling: int
    said: str
    at_limit: AtLimit = "refuse"
    downgrade_to: str = ""
    alert_at: tuple[float, ...] = ()

    def account(self, now_s: float) -> Account:
        """The account that holds what is used of it in the window of this moment."""
        since_s, until_s = window(self.period, now_s)
        return Account(self.subject, self.unit, since_s, until_s)

    @property
    def whose(self) -> str:
        """In words: ``the key alice``."""
        kind, _, name = self.subject.partition(":")
        return f"the {kind} {name!r}" if name else "all callers together"


def limits_of(grant: Grant, exchange: Exchange) -> tuple[Limit, ...]:
    """All that bounds one caller, his own first. Raises ``ConfigError`` for a currency without a rate."""
    subjects = ((f"key:{grant.client}", grant.own), (f"team:{grant.team}", grant.of_team), ("everyone", grant.of_all))
    return tuple(limit for subject, allowance in subjects for limit in limits(subject, allowance, exchange))


def limits(subject: str, allowance: Allowance, exchange: Exchange) -> Iterator[Limit]:
    """What one allowance bounds."""
    for budget in allowance.budgets:
        yield _limit(subject, "pico", budget.period, _in_pico(subject, budget, exchange), _amount(budget), allowance)
    rates: tuple[tuple[Literal["requests", "tokens"], int], ...] = (
        ("requests", allowance.requests_per_minute),
        ("tokens", allowance.tokens_per_minute),
    )
    for unit, most in rates:
        if most:
            yield _limit(subject, unit, "minute", most, f"{most} {unit} a minute", allowance)


def check_currencies(plan: Plan, exchange: Exchange) -> None:
    """Raises ``ConfigError`` for the first budget that cannot be counted in dollars."""
    named = [(f"keys.{key.name}", key.allowance) for key in plan.keys]
    named += [(f"teams.{team.name}", team.allowance) for team in plan.teams]
    for subject, allowance in [*named, ("everyone", plan.everyone)]:
        for budget in allowance.budgets:
            _in_pico(subject, budget, exchange)


def window(period: Period, now_s: float) -> tuple[float, float]:
    """The minute, day or calendar month (UTC) of a moment: [since, until)."""
    if period == "minute":
        since_s = now_s // 60 * 60
        return since_s, since_s + 60
    if period == "day":
        since_s = now_s // _DAY_S * _DAY_S
        return since_s, since_s + _DAY_S
    first = datetime.fromtimestamp(now_s, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = divmod(first.year * 12 + first.month, 12)
    return first.timestamp(), first.replace(year=year, month=month + 1).timestamp()


def strictest(found: Iterable[Limit]) -> Limit:
    """Which of the limits that were reached decides; of equals, the one that lasts longest."""
    periods: Sequence[Period] = ("month", "day", "minute")
    return min(found, key=lambda limit: (_STRICTNESS.index(limit.at_limit), periods.index(limit.period)))


def refusal(limit: Limit, left: int, now_s: float) -> Refuse:
    """What a caller beyond a limit reads. A rate is worth asking again for, money is not until the window ends."""
    until_s = window(limit.period, now_s)[1]
    wait_s = max(1, math.ceil(until_s - now_s))
    if limit.unit != "pico":
        message = (
            f"The limit of {limit.said} for {limit.whose} is reached: {max(0, left)} left, and this request needs more. "
            f"It is renewed in {wait_s} s."
        )
        return Refuse(429, "rate_limit_exceeded", message, wait_s)
    message = (
        f"The budget of {limit.said} for {limit.whose} does not cover this request: {Money(max(0, left))} USD of it are "
        f"left at most, and it can cost more. It is renewed at {moment(until_s)}. A lower max_completion_tokens "
        f"makes a request fit into less."
    )
    return Refuse(429, "insufficient_quota", message, final=True)


def unpriced(limit: Limit, target: str) -> Refuse:
    """A call whose cost nobody knows cannot be reserved."""
    return Refuse(
        403,
        "unpriced_under_budget",
        f"{target} has no price here, and the budget of {limit.said} for {limit.whose} cannot be kept without one. "
        f"Its operator adds a price to the overlay (docs/prices.md; 0 for what costs nothing), or lifts the budget.",
        final=True,
    )


UNAVAILABLE = Refuse(
    503,
    "budget_unavailable",
    "What is left of this key's limits cannot be read at present, so nothing is spent on them. Ask again shortly.",
    1,
)


def _limit(
    subject: str, unit: Literal["pico", "requests", "tokens"], period: Period, ceiling: int, said: str, of: Allowance
) -> Limit:
    return Limit(
        subject=subject,
        unit=unit,
        period=period,
        ceiling=ceiling,
        said=said,
        at_limit=of.at_limit,
        downgrade_to=of.downgrade_to,
        alert_at=of.alert_at if unit == "pico" else (),
    )


def _in_pico(subject: str, budget: Budget, exchange: Exchange) -> int:
    key, said = f"{subject}.budget_{budget.period}", f"{budget.amount} {budget.currency}"
    rate = exchange(budget.currency)
    if rate is None:
        raise ConfigError(
            key,
            f"the budget is in {budget.currency}, for which there is no rate of exchange",
            f"Add [currency.{budget.currency}] with rate and as_of to the file that prices.overlay names",
        )
    exact = Context(prec=100)
    pico = int(exact.multiply(exact.multiply(Decimal(budget.amount), rate), Decimal(PICO)))
    if pico > MOST_PICO:
        raise ConfigError(key, f"{said} is more than 4.6 million dollars", "Set a lower budget, or none")
    return pico


def _amount(budget: Budget) -> str:
    return f"{budget.amount} {budget.currency} a {budget.period}"


def moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
