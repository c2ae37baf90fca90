"""A virtual key as it is shown to its operator: everything but its hash."""

from __future__ import annotations

from pennyworth.clients import Allowance, VirtualKey
from pennyworth.decide.keys import state_of
from pennyworth.server.admin_json import iso


def row(key: VirtualKey, now_s: float) -> dict[str, object]:
    """Under the names by which it was asked for; what does not apply is ``null``."""
    grace = key.former_until_s > now_s and not key.revoked_s
    return {
        "name": key.name,
        "state": state_of(key, now_s),
        "ends_in": key.hint,
        "share": key.share,
        "scope": key.scope if key.share == "scope" else None,
        "team": key.team or None,
        **_allowance(key.allowance),
        "created": iso(key.created_s),
        "expires": iso(key.expires_s) if key.expires_s else None,
        "revoked": iso(key.revoked_s) if key.revoked_s else None,
        "former_secret_until": iso(key.former_until_s) if grace else None,
    }


def _allowance(allowance: Allowance) -> dict[str, object]:
    budgets = {f"budget_{budget.period}": f"{budget.amount} {budget.currency}" for budget in allowance.budgets}
    return {
        "models": list(allowance.models),
        "budget_day": budgets.get("budget_day"),
        "budget_month": budgets.get("budget_month"),
        "requests_per_minute": allowance.requests_per_minute or None,
        "tokens_per_minute": allowance.tokens_per_minute or None,
        "at_limit": allowance.at_limit,
        "downgrade_to": allowance.downgrade_to or None,
        "alert_at": list(allowance.alert_at),
        "pass_through": allowance.pass_through,
    }
