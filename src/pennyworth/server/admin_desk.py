"""What the admin routes work with: the Plan, the workers, the books, and the one way to change what the workers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from pennyworth.clients import KeySet
from pennyworth.decide.keys import Seal
from pennyworth.decide.tenants import tenants_of
from pennyworth.forgetting import Eraser
from pennyworth.plan import Plan
from pennyworth.ports import Clock, ControlRow, KeyBook, Quotas
from pennyworth.server.admin_books import BookReader
from pennyworth.server.budget_rows import BudgetRow, budget_rows
from pennyworth.server.workers import Workers, confirm
from pennyworth.view import Control

T = TypeVar("T")
"""``Control`` or ``KeySet``."""


class Applied(msgspec.Struct, Generic[T], frozen=True):
    """A shared row, and how many of how many workers went by it a second later at the latest."""

    row: T
    confirmed: int
    workers: int

    @property
    def everywhere(self) -> bool:
        return self.confirmed == self.workers


class Shared(msgspec.Struct, frozen=True):
    """What the workers share and this port changes or looks at.

    ``seal``: how the key book knows a secret. ``eraser``: forgets people. ``exchange``: ``PriceBook.exchange``, to count
    budgets by.
    """

    control: ControlRow
    keybook: KeyBook
    seal: Seal
    eraser: Eraser
    quotas: Quotas
    exchange: Callable[[str, float], Decimal | None]


class Desk:
    """Made by whoever runs the admin port. ``plan``: the one in force, which a reload replaces."""

    def __init__(self, plan: Plan, workers: Workers, shared: Shared, books: BookReader, clock: Clock) -> None:
        self.plan = plan
        self.workers = workers
        self.books = books
        self.clock = clock
        self.seal = shared.seal
        self.eraser = shared.eraser
        self._control = shared.control
        self._keybook = shared.keybook
        self._quotas = shared.quotas
        self._exchange = shared.exchange
        # A thread for these rows alone: slow questions to the ledger must not keep the kill switch waiting.
        self._thread = ThreadPoolExecutor(1, "pennyworth-control")

    def close(self) -> None:
        self._thread.shutdown()

    async def control(self) -> Control:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._control.read)

    async def change(self, apply: Callable[[Control], Control]) -> Applied[Control]:
        """Through the shared row only, so that what is answered is what will stand after a restart too.

        Raises ``StoreError`` when the row cannot be written: then nothing has changed anywhere.
        """
        row = await asyncio.get_running_loop().run_in_executor(self._thread, self._control.change, apply)
        return Applied(row, *await confirm(self.workers, lambda seen: seen.control >= row.version))

    async def keys(self) -> Applied[KeySet]:
        """The virtual keys, and how many workers go by them at present."""
        row = await asyncio.get_running_loop().run_in_executor(self._thread, self._keybook.read)
        return Applied(row, *await confirm(self.workers, lambda seen: seen.keys >= row.version, 0.0))

    async def change_keys(self, apply: Callable[[KeySet], KeySet]) -> Applied[KeySet]:
        """Raises ``StoreError`` when the key book cannot be written: then nothing has changed anywhere."""
        row = await asyncio.get_running_loop().run_in_executor(self._thread, self._keybook.change, apply)
        return Applied(row, *await confirm(self.workers, lambda seen: seen.keys >= row.version))

    async def budgets(self) -> list[BudgetRow]:
        """How the limits of all keys in force stand. Raises ``StoreError`` when they cannot be read."""
        return await asyncio.to_thread(self._budgets)

    def _budgets(self) -> list[BudgetRow]:
        now_s = self.clock.wall_s()
        grants = tenants_of(self.plan, self._keybook.read(), now_s, self.seal).grants
        return budget_rows(grants.values(), self._quotas, lambda currency: self._exchange(currency, now_s), now_s)
