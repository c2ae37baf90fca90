"""Who has died, and what was spent: what a quota store asks of the books, to close a dead worker's lease and to open an
account."""

from __future__ import annotations

from typing import Protocol

from pennyworth.ports import Account


class Lives(Protocol):
    """Amounts are picodollars.

    - ``closed``: this life of a worker has ended, and all that it acknowledged is in the ledger.
    - ``spent``: what it spent on an account from a moment on; asked of closed lives only, whose books no longer change.
    - ``so_far``: what everybody has spent on an account, as far as it is booked.
    """

    def closed(self, life: str) -> bool: ...

    def spent(self, life: str, account: Account, since_s: float) -> int: ...

    def so_far(self, account: Account) -> int: ...


class NoLives:
    """Nobody ever dies alone: for one process, whose accounts die with it."""

    def closed(self, life: str) -> bool:
        return False

    def spent(self, life: str, account: Account, since_s: float) -> int:
        return 0

    def so_far(self, account: Account) -> int:
        return 0


def opening(account: Account, lives: Lives) -> int:
    """What is used of an account that nobody has leased from yet. Rates begin from nothing."""
    return lives.so_far(account) if account.unit == "pico" else 0
