"""``pennyworth receipts``: the newest requests, one line each."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from pennyworth.cli.amounts import milliseconds, moment, usd
from pennyworth.cli.books import open_books
from pennyworth.cli.exits import OK, wrong_usage
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, Window, plan_at, same_books, since_of
from pennyworth.cli.screen import Screen, add, listing, print_json
from pennyworth.outcome import Receipt
from pennyworth.server.admin_json import plain

_ROOMY = 100
"""From so many columns on, there is room for the model and the time it took."""


def receipts(
    *,
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="At most so many, the newest first.")] = 20,
    model: Annotated[str | None, Parameter(help="Only requests for this model.")] = None,
    scope: Annotated[str | None, Parameter(help="Only those of this scope.")] = None,
    served: Annotated[
        str | None, Parameter(help="exact, normalised, coalesced, stale, upstream, replayed or none.")
    ] = None,
    ending: Annotated[str | None, Parameter(help="complete, length, cut, error, caller_left, refused ...")] = None,
    route: Annotated[str | None, Parameter(help="Only those of this route.")] = None,
    client: Annotated[str | None, Parameter(help="Only those of this client key.")] = None,
    team: Annotated[str | None, Parameter(help="Only those of this team.")] = None,
    window: Window = "all",
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """List the newest receipts.

    Each request ends in one receipt, also when it failed or nobody waited for
    its end.

    For example:

        pennyworth receipts
        pennyworth receipts --served upstream --model gpt-4o -n 50
        pennyworth receipts --ending cut --window 24h
        pennyworth receipts -n 100000 --json > receipts.json
    """
    if limit < 1:
        raise wrong_usage(f"--limit {limit} lists nothing.", "Give a whole number from 1 on.")
    screen = Screen()
    given = {
        "model": model,
        "scope": scope,
        "served": served,
        "ending": ending,
        "route": route,
        "client": client,
        "team": team,
    }
    where = {name: value for name, value in given.items() if value is not None}
    since_s = since_of(window, time.time())
    with open_books(plan_at(config, state_dir), screen) as ledger:
        found = [each for each in ledger.receipts(limit, None, where) if each.at_s >= since_s]
    if as_json:
        print_json({"receipts": [plain(each) for each in found]})
        return OK
    if not found:
        screen.out.print("No receipt matches." if where or since_s else "No request has been served yet.")
        return OK
    screen.out.print(_table(found, roomy=screen.out.width >= _ROOMY))
    screen.next(("one in full", f"pennyworth explain {found[0].id}{same_books(config, state_dir)}"))
    return OK


def _table(found: list[Receipt], *, roomy: bool) -> Table:
    more = ("model", "took") if roomy else ()
    table = listing(
        "time",
        "receipt",
        "served",
        "spent",
        "saved",
        *more,
        right=("spent", "saved", "took"),
        whole=("time", "receipt"),
    )
    for each in found:
        at = moment(each.at_s)
        served = each.served if each.ending == "complete" else each.ending
        rest = (each.model, milliseconds(each.latency.total_ms)) if roomy else ()
        add(table, at[5:19] if roomy else at[11:19], each.id, served, *_money(each), *rest)
    return table


def _money(receipt: Receipt) -> tuple[str, str]:
    if receipt.would_basis == "unpriced":
        return "unpriced", "–"
    return usd(receipt.spent), usd(receipt.would_have_cost - receipt.spent)
