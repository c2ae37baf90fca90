"""What the admin routes work with: the Plan, the workers, the books, and the one way to change the control row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from pennyworth.plan import Plan
from pennyworth.ports import Clock, ControlRow
from pennyworth.server.admin_books import BookReader
from pennyworth.server.workers import Workers, confirm
from pennyworth.view import Control


class Applied(msgspec.Struct, frozen=True):
    """A change of the control row, and how many of how many workers went by it a second later at the latest."""

    row: Control
    confirmed: int
    workers: int

    @property
    def everywhere(self) -> bool:
        return self.confirmed == self.workers


class Desk:
    """Made by whoever runs the admin port."""

    def __init__(self, plan: Plan, workers: Workers, control: ControlRow, books: BookReader, clock: Clock) -> None:
        self.plan = plan
        self.workers = workers
        self.books = books
        self.clock = clock
        self._control = control
        # A thread for the control row alone: slow questions to the ledger must not keep the kill switch waiting.
        self._thread = ThreadPoolExecutor(1, "pennyworth-control")

    def close(self) -> None:
        self._thread.shutdown()

    async def control(self) -> Control:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._control.read)

    async def change(self, apply: Callable[[Control], Control]) -> Applied:
        """Through the shared row only, so that what is answered is what will stand after a restart too.

        Raises ``StoreError`` when the row cannot be written: then nothing has changed anywhere.
        """
        row = await asyncio.get_running_loop().run_in_executor(self._thread, self._control.change, apply)
        confirmed, workers = await confirm(self.workers, row.version)
        return Applied(row, confirmed, workers)
