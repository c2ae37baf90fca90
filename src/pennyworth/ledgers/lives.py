"""Which lives of workers have ended with all they acknowledged in the ledger, and what each spent: for whoever holds
something on their behalf.

A life is named ``owner:run``: the owner as in the names of its journal's segments, the run as in its receipts' ids.
"""

from __future__ import annotations

from pathlib import Path

from pennyworth.ledgers.segments import segments_in
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.ports import Account, Group

_CLOCKS_S = 3600.0
"""By so much a clock may have been set back after the owner's start stood in its name."""


def life_of(owner: str, run: str) -> str:
    return f"{owner}:{run}"


class JournalLives:
    """Reads a journal folder and its ledger."""

    def __init__(self, folder: Path, ledger: SqliteLedger) -> None:
        self._folder = folder
        self._ledger = ledger

    def closed(self, life: str) -> bool:
        """Its segments are gone, which are removed only when nobody writes them and all of them is booked, and no call
        of its own is left open. A living worker always has a segment, but one listing may miss the last and the next."""
        owner = life.rpartition(":")[0]
        living = {segment.owner for _ in range(2) for segment in segments_in(self._folder)}
        return owner not in living and owner not in {left.owner for left in self._ledger.open_intents()}

    def spent(self, life: str, account: Account, since_s: float) -> int:
        """In picodollars. Receipts of unknown outcome count with their estimates, as they do in the books."""
        owner, _, run = life.rpartition(":")
        since_s = max(account.since_s, since_s, _start_of(owner) - _CLOCKS_S)
        found = self._ledger.receipts_of_run(run, since_s, account.until_s, _whose(account.subject))
        return sum(receipt.spent.pico for receipt in found)

    def so_far(self, account: Account) -> int:
        """What has been booked in its window, whoever spent it, and whether or not it was limited then."""
        where = _whose(account.subject)
        by: Group = "client" if "client" in where else "team" if "team" in where else ""
        found = self._ledger.totals(account.since_s, account.until_s, by).get(where.get(by, ""))
        return found.spent.pico if found else 0


def _start_of(owner: str) -> float:
    return int(owner.rpartition("-")[2]) / 1e9


def _whose(subject: str) -> dict[str, str]:
    """``key:alice`` and ``team:search`` are one client's and one team's receipts, ``everyone`` all of them."""
    kind, _, name = subject.partition(":")
    return {"key": {"client": name}, "team": {"team": name}}.get(kind, {})
