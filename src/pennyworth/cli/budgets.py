"""``pennyworth budgets``: what keys, teams and everybody have used of their limits."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime

import msgspec
from rich.table import Table

from pennyworth.cli.amounts import usd
from pennyworth.cli.books import need_state
from pennyworth.cli.exits import OK
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, plan_from, same_books
from pennyworth.cli.screen import Screen, add, listing, print_json
from pennyworth.decide.keys import sealer
from pennyworth.decide.tenants import tenants_of
from pennyworth.money import Money
from pennyworth.plan import Plan
from pennyworth.server.budget_rows import BudgetRow, budget_rows, figures
from pennyworth.state_dir import open_exchange, open_keybook, open_keyring, open_ledger, open_quotas


def budgets(*, config: ConfigPath = None, state_dir: StateDir = None, as_json: AsJson = False) -> int:
    """What keys, teams and everybody have used of their budgets and rates.

    The limits are those of the configuration and of the virtual keys; what is
    used of them is read from the state directory, with and without a running
    gateway. Workers hold small parts of what is left for calls under way.

    For example:

        pennyworth budgets --config pennyworth.toml
        pennyworth budgets --json | jq '.budgets[] | select(.share_used > 0.8)'
    """
    screen = Screen()
    plan = plan_from(config)
    plan = plan if state_dir is None else msgspec.structs.replace(plan, state_dir=state_dir)
    need_state(plan)
    rows = _rows(plan)
    if as_json:
        print_json({"budgets": [figures(row) for row in rows]})
        return OK
    if not rows:
        screen.out.print("No key, no team and nobody else has a limit.")
        return OK
    screen.out.print(_table(rows))
    screen.next(("who spent it", f"pennyworth stats --by client{same_books(config, state_dir)}"))
    return OK


def _rows(plan: Plan) -> list[BudgetRow]:
    now_s, exchange = time.time(), open_exchange(plan)
    with closing(open_ledger(plan)) as ledger, closing(open_quotas(plan, ledger)) as quotas:
        with closing(open_keybook(plan)) as keybook:
            keys = keybook.read()
        grants = tenants_of(plan, keys, now_s, sealer(open_keyring(plan))).grants
        return budget_rows(grants.values(), quotas, lambda currency: exchange(currency, now_s), now_s)


def _table(rows: list[BudgetRow]) -> Table:
    numbers = ("used", "held", "left", "share")
    table = listing("whose", "limit", *numbers, "renewed", right=numbers, whole=("whose", "limit"))
    for row in rows:
        amounts = (row.standing.used, row.standing.leased, row.left)
        shown = [usd(Money(each)) if row.limit.unit == "pico" else f"{each:,}" for each in amounts]
        add(table, row.limit.subject, row.limit.said, *shown, f"{100 * row.share:.1f} %", _until(row))
    return table


def _until(row: BudgetRow) -> str:
    return datetime.fromtimestamp(row.account.until_s, UTC).strftime("%m-%d %H:%M UTC")
