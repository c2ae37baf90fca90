"""Accounts in memory: for one process, whose budgets begin anew with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pennyworth.ports import Account, Bill, Standing
from pennyworth.quotas.lives import Lives, NoLives, opening
from pennyworth.quotas.sharing import MOST, Lease, billed, share_of, unsettled


class Pool:
    """What several ``MemoryQuotas`` have in common."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accounts: dict[Account, Standing] = {}
        self.leases: dict[tuple[str, Account], Lease] = {}
        self.said: dict[str, float] = {}


class MemoryQuotas:
    """``Quotas`` and ``Notices`` of one life of a worker."""

    def __init__(self, life: str = "", pool: Pool | None = None, lives: Lives | None = None) -> None:
        self._life = life
        self._pool = pool or Pool()
        self._lives = lives or NoLives()

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int:
        with self._pool.lock:
            now = self._pool.accounts.get(account) or Standing(opening(account, self._lives))
            granted = share_of(ceiling - now.used - now.leased, want, least)
            if granted:
                mine = self._pool.leases.get((self._life, account), Lease(since_s=since_s))
                self._pool.leases[self._life, account] = mine._replace(amount=mine.amount + granted)
                self._pool.accounts[account] = Standing(now.used, now.leased + granted)
            return granted

    def settle(self, bills: Sequence[Bill]) -> Sequence[Standing]:
        with self._pool.lock:
            return [self._take(bill) for bill in bills]

    def standing(self, account: Account) -> Standing:
        return self._standing(account)

    def recover(self) -> int:
        others = {life for life, _ in list(self._pool.leases)} - {self._life}
        return sum([self._bury(life) for life in others if self._lives.closed(life)])

    def first(self, what: str, until_s: float) -> bool:
        with self._pool.lock:
            said = self._pool.said.get(what, float("-inf")) >= until_s
            self._pool.said[what] = until_s
            return not said

    def close(self) -> None:
        """Nothing to close."""

    def _standing(self, account: Account) -> Standing:
        return self._pool.accounts.get(account, Standing())

    def _take(self, bill: Bill) -> Standing:
        place = (self._life, bill.account)
        after, lease = billed(self._standing(bill.account), self._pool.leases.get(place, Lease()), bill)
        self._pool.accounts[bill.account], self._pool.leases[place] = after, lease
        return after

    def _bury(self, life: str) -> int:
        with self._pool.lock:
            mine = [place for place in self._pool.leases if place[0] == life]
            for place in mine:
                account, lease = place[1], self._pool.leases.pop(place)
                spent = self._lives.spent(life, account, lease.since_s) if account.unit == "pico" else None
                now, more = self._standing(account), unsettled(lease, spent)
                self._pool.accounts[account] = Standing(min(MOST, now.used + more), now.leased - lease.amount)
            return bool(mine)
