"""What the admin port reads: the ledger, brought up to date with the journal before each question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pennyworth.errors import StoreError
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group, Ledger

_FOREVER = float("inf")


class BookReader:
    """Reads off the event loop, because a ledger may be slow. Raises ``StoreError`` where it cannot be read at all.

    Attributes:
        behind: why the ledger may lack the latest receipts; "" when everything acknowledged is in it.
    """

    def __init__(self, ledger: Ledger, folder: JournalFolder | None) -> None:
        self._ledger = ledger
        self._folder = folder
        self.behind = ""

    async def totals(self, since_s: float, by: Group = "") -> dict[str, Totals]:
        await self._catch_up()
        return await asyncio.to_thread(self._ledger.totals, since_s, _FOREVER, by)

    async def receipts(self, limit: int, before_s: float | None, where: Mapping[str, str]) -> Sequence[Receipt]:
        await self._catch_up()
        return await asyncio.to_thread(self._ledger.receipts, limit, before_s, where)

    async def receipt(self, receipt_id: str) -> Receipt | None:
        await self._catch_up()
        return await asyncio.to_thread(self._ledger.receipt, receipt_id)

    async def _catch_up(self) -> None:
        if self._folder is None:
            return
        try:
            await asyncio.to_thread(self._folder.flush)
            self.behind = ""
        except StoreError as error:
            self.behind = str(error)
