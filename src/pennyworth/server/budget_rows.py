"""How budgets and rates stand, limit by limit: for the admin port, the metrics and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pennyworth.decide import allowance
from pennyworth.decide.allowance import Exchange, Limit
from pennyworth.errors import ConfigError
from pennyworth.money import Money
from pennyworth.ports import Account, Quotas, Standing
from pennyworth.server.admin_json import iso, money
from pennyworth.view import Grant


class BudgetRow(msgspec.Struct, frozen=True):
    """One limit in its present window."""

    limit: Limit
    account: Account
    standing: Standing

    @property
    def left(self) -> int:
        """What a worker could lease at this moment."""
        return max(0, self.limit.ceiling - self.standing.used - self.standing.leased)

    @property
    def share(self) -> float:
        """Used of the whole; above 1 where output without a cap went beyond it."""
        return self.standing.used / self.limit.ceiling if self.limit.ceiling else 1.0


def budget_rows(grants: Iterable[Grant], quotas: Quotas, exchange: Exchange, now_s: float) -> list[BudgetRow]:
    """All limits there are, each once: everybody's, the teams', the keys'. Raises ``StoreError``."""
    found: dict[tuple[str, str, str], Limit] = {}
    for grant in grants:
        try:
            found |= {
                (limit.subject, limit.unit, limit.period): limit for limit in allowance.limits_of(grant, exchange)
            }
        except ConfigError:
            continue  # a budget that nobody can count is kept by refusing, and the workers say so
    accounts = [(found[name], found[name].account(now_s)) for name in sorted(found, key=_order)]
    return [BudgetRow(limit, account, quotas.standing(account)) for limit, account in accounts]


def figures(row: BudgetRow) -> Mapping[str, object]:
    """A row as JSON values; money exact, in picodollars and dollars."""
    pico = row.limit.unit == "pico"

    def amount(number: int) -> object:
        return money(Money(number)) if pico else number

    return {
        "subject": row.limit.subject,
        "limit": row.limit.said,
        "kind": "budget" if pico else row.limit.unit,
        "period": row.limit.period,
        "at_limit": row.limit.at_limit,
        "ceiling": amount(row.limit.ceiling),
        "used": amount(row.standing.used),
        "leased": amount(row.standing.leased),
        "left": amount(row.left),
        "share_used": round(row.share, 6),
        "since": iso(row.account.since_s),
        "until": iso(row.account.until_s),
    }


def _order(name: tuple[str, str, str]) -> tuple[int, tuple[str, str, str]]:
    kinds = ("everyone", "team", "key")
    return kinds.index(name[0].partition(":")[0]), name
