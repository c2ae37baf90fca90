"""A small fast store in front of a large shared one, which is left alone for a while when it is slow or broken.

What becomes of trouble: an answer found is always returned. Where the deep store was needed and could not be asked,
``StoreError`` says why, so that the receipt can; ``trouble`` says it for as long as it lasts, for health and metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pennyworth.errors import StoreError
from pennyworth.outcome import Kept
from pennyworth.ports import Store, StoreUsage
from pennyworth.request import Key
from pennyworth.stores.breaker import Breaker
from pennyworth.view import Control


class TieredStore:
    """``l1`` before ``l2``. A question or put of L2 that takes longer than ``slow_s`` opens its breaker.

    Reading and writing have a breaker each: a full disk stops the puts, and the answers on it are still found.
    L1 may hold what another process has purged, until the next ``sweep``: the engine asks ``Control.kills`` on a hit.

    Attributes:
        l1, l2: the stores, for their own ``usage``.
    """

    def __init__(self, l1: Store, l2: Store, slow_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.l1 = l1
        self.l2 = l2
        self.immediate = l1.immediate and l2.immediate
        self._slow_s = slow_s
        self._clock = clock
        self._reading = Breaker(clock)
        self._writing = Breaker(clock)

    @property
    def trouble(self) -> str:
        """Why L2 is being left alone; "" when it is not."""
        return self._reading.reason or self._writing.reason

    async def get(self, key: Key, now_s: float) -> Kept | None:
        near = await self.l1.get(key, now_s)
        if near is not None and now_s < near.expires_s:
            return near
        try:
            far = await self._get_far(key, now_s)
        except StoreError:
            if near is None:
                raise
            return near
        if far is None:
            return near
        return await self._fill(far, near, now_s)

    async def put(self, kept: Kept) -> None:
        """Into L1 whatever happens; ``StoreError`` then tells that L2 has not got it."""
        await self.l1.put(kept)
        if self._writing.reason and not self._writing.allows():
            raise StoreError(f"{self._writing.reason}, skipped")
        started = self._clock()
        try:
            await self.l2.put(kept)
        except StoreError as error:
            self._writing.trip(f"{error}")
            raise
        self._judge(self._writing, "put", started)

    async def sweep(self, control: Control, now_s: float) -> int:
        """Both. How many keys went: one that both held counts once."""
        near = await self.l1.sweep(control, now_s)
        return max(near, await self.l2.sweep(control, now_s))

    def usage(self) -> StoreUsage:
        """Of L2, which holds everything."""
        return self.l2.usage()

    async def close(self) -> None:
        await self.l1.close()
        await self.l2.close()

    async def _get_far(self, key: Key, now_s: float) -> Kept | None:
        if self._reading.reason and not self._reading.allows():
            raise StoreError(f"{self._reading.reason}, skipped")
        started = self._clock()
        try:
            far = await self.l2.get(key, now_s)
        except StoreError as error:
            self._reading.trip(f"{error}")
            raise
        self._judge(self._reading, "get", started)
        return far

    async def _fill(self, far: Kept, near: Kept | None, now_s: float) -> Kept:
        """What to return, now in L1. What was put while L2 was being asked is newer than what it said."""
        newer = await self.l1.get(far.key, now_s)
        if newer is not None and newer is not near:
            return newer
        await self.l1.put(far)
        return far

    def _judge(self, breaker: Breaker, what: str, started: float) -> None:
        took_s = self._clock() - started
        if took_s > self._slow_s:
            breaker.trip(f"slow: a {what} took {took_s * 1000:.0f} ms")
        elif breaker.reason:
            breaker.reset()
