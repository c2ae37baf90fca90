"""No cache: finds nothing, keeps nothing. What "off" is, so that nobody has to ask whether there is a store."""

from __future__ import annotations

from pennyworth.outcome import Kept
from pennyworth.ports import StoreUsage
from pennyworth.request import Key
from pennyworth.view import Control


class NullStore:
    """A ``Store`` in which nothing is ever found."""

    immediate = True

    async def get(self, key: Key, now_s: float) -> Kept | None:
        return None

    async def put(self, kept: Kept) -> None:
        return None

    async def sweep(self, control: Control, now_s: float) -> int:
        return 0

    def usage(self) -> StoreUsage:
        return StoreUsage(entries=0, bytes=0, max_entries=0, max_bytes=0, evictions=0)

    async def close(self) -> None:
        return None
