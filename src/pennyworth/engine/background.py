"""Work that no request waits for: following the control row and the keys, sweeping the store."""

from __future__ import annotations

import asyncio
import contextlib

from pennyworth.engine.state import State
from pennyworth.engine.tenancy import Tenancy
from pennyworth.errors import StoreError
from pennyworth.ports import ControlRow, Store

POLL_S = 0.2
"""A purge, the kill switch or a revoked key is seen by every worker within a second; reading a row costs microseconds."""

SWEEP_S = 30.0


class Background:
    """Two tasks on the engine's loop. ``stop`` ends them."""

    def __init__(self, state: State, control: ControlRow, store: Store, tenancy: Tenancy) -> None:
        self._state = state
        self._control = control
        self._store = store
        self._tenancy = tenancy
        self._purged = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow()), loop.create_task(self._sweep())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                row = self._control.read()
                if row.epoch != self._state.control.epoch:
                    self._purged.set()
                if row.version > self._state.control.version:
                    self._state.control = row
            except StoreError as error:
                self._state.trouble("control", str(error))
            self._tenancy.look()
            await asyncio.sleep(POLL_S)

    async def _sweep(self) -> None:
        """At times, and soon after a purge. Hits ask ``Control.kills`` themselves: this only gives the room back."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._purged.wait(), SWEEP_S)
            if self._purged.is_set():
                self._state.drop_memories()
            self._purged.clear()
            try:
                await self._store.sweep(self._state.control, self._state.clock.wall_s())
            except StoreError as error:
                self._state.trouble("store", str(error))
