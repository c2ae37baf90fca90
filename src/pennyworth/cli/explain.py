"""``pennyworth explain RECEIPT``: one receipt, told."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pennyworth.cli.books import open_books
from pennyworth.cli.exits import FAILED, OK, not_there
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, plan_at, same_books
from pennyworth.cli.screen import Screen, facts, print_json
from pennyworth.cli.story import story
from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Receipt
from pennyworth.server.admin_json import iso, plain


def explain(
    receipt: Annotated[str, Parameter(help='Its id, as in the reply\'s header x-pennyworth-receipt; or "last".')],
    /,
    *,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Tell one receipt as a story: who answered, why, and what it cost.

    What was asked, what was decided and why, each call that was made, the
    tokens, the sum of what was spent and saved, and where the time went.

    For example:

        pennyworth explain last
        pennyworth explain r-019aac1b2c3-5f1e2d3c-00002a
        pennyworth explain last --json | jq .attempts
    """
    screen = Screen()
    with open_books(plan_at(config, state_dir), screen) as ledger:
        found = _find(ledger, receipt)
    if as_json:
        print_json({"at": iso(found.at_s), **plain(found)})
        return OK if balances(found) else FAILED
    for heading, rows in story(found):
        screen.out.print(facts(heading, rows))
        screen.out.print()
    if found.key:
        screen.next(("forget this answer", f"pennyworth purge --key {found.key}{same_books(config, state_dir)}"))
    return OK if balances(found) else FAILED


def _find(ledger: SqliteLedger, receipt_id: str) -> Receipt:
    if receipt_id == "last":
        newest = ledger.receipts(1)
        if not newest:
            raise not_there("No request has been served yet.", "Send one, and ask again.")
        return newest[0]
    found = ledger.receipt(receipt_id)
    if found is None:
        raise not_there(
            f"There is no receipt {receipt_id[:80]!r} in these books.",
            "Take the id from the reply's header x-pennyworth-receipt, or from: pennyworth receipts",
        )
    return found
