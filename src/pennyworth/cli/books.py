"""The books of a state directory, brought up to date with the journal first: true with and without a running gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pennyworth.cli.exits import not_there, wrong_usage
from pennyworth.cli.screen import Screen
from pennyworth.errors import StoreError
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.plan import Plan
from pennyworth.state_dir import JOURNAL, LEDGER, MEMORY, open_folder, open_ledger


@contextmanager
def open_books(plan: Plan, screen: Screen) -> Iterator[SqliteLedger]:
    """The ledger. A fold that fails is said: then the latest receipts may be missing."""
    need_state(plan)
    with closing(open_ledger(plan)) as ledger:
        try:
            open_folder(plan, ledger, lambda _, what: screen.warn(what)).flush()
        except StoreError as error:
            screen.warn(f"the latest receipts may be missing: {error}")
        yield ledger


def need_state(plan: Plan) -> Path:
    """The state directory, which must be there: reading makes none."""
    if plan.state_dir == MEMORY:
        raise wrong_usage(
            'state_dir is ":memory:": its books live in the running gateway alone.', "Ask its admin port instead."
        )
    folder = Path(plan.state_dir)
    if not (folder / LEDGER).exists() and not (folder / JOURNAL).exists():
        raise not_there(
            f"There are no books in {str(folder.absolute())!r}: no gateway has run on it.",
            "Name the right one by --state-dir or --config, or start one: pennyworth serve",
        )
    return folder
