"""Has a budget reached a share of which the operator wants to be told?"""

from __future__ import annotations

from pennyworth.decide.allowance import moment
from pennyworth.engine.alerts import Alerts
from pennyworth.engine.purse import Held
from pennyworth.money import Money


class BudgetAlerts:
    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts

    def look(self, held: Held) -> None:
        """Tells of each share once. A budget is as good as used up once a call did not fit into it: of the whole people
        are told then, since the last fraction of a cent is never spent."""
        limit, holding = held
        for share in limit.alert_at:
            if share in holding.told:
                continue
            if holding.used >= share * holding.ceiling or (share >= 1 and holding.short):
                holding.told.add(share)
                self._tell(held, share)

    def _tell(self, held: Held, share: float) -> None:
        limit, holding = held
        account = holding.account
        used, ceiling, until = Money(holding.used), Money(holding.ceiling), moment(account.until_s)
        reached = holding.used >= share * holding.ceiling
        so_much = f"{share * 100:g} % of" if reached else "what is left no longer covers a call that was asked for, of"
        text = (
            f"{limit.whose[0].upper()}{limit.whose[1:]} has used {used} of {ceiling} USD: {so_much} the budget "
            f"of {limit.said}, renewed at {until}."
        )
        facts: dict[str, str | int | float] = {
            "share": share,
            "used_usd": str(used),
            "budget_usd": str(ceiling),
            "budget": limit.said,
            "period": limit.period,
            "renewed_at": until,
        }
        once = f"budget/{limit.subject}/{limit.period}/{account.since_s:.0f}/{share:g}"
        self._alerts.raise_("budget", limit.subject, text, facts, once=once, until_s=account.until_s)
