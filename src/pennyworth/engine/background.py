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
            for look in (self._look_at_the_row, self._tenancy.look):
                try:
                    look()
                except Exception as error:  # the edge of a task: keys are revoked and answers purged for all that
                    self._state.defect("control", error)
            await asyncio.sleep(POLL_S)

    def _look_at_the_row(self) -> None:
        try:
            row = self._control.read()
        except StoreError as error:
            self._state.trouble("control", str(error))
            return
        if row.epoch != self._state.control.epoch:
            self._purged.set()
        if row.version > self._state.control.version:
            self._state.control = row

    async def _sweep(self) -> None:
        """At times, and soon after a purge. Hits ask ``Control.kills`` themselves: this only gives the room back."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._purged.wait(), SWEEP_S)
            try:
                await self._sweep_once()
            except Exception as error:  # the edge of a task
                self._state.defect("store", error)

    async def _sweep_once(self) -> None:
        purged = self._purged.is_set()
        self._purged.clear()
        if purged:
            self._state.drop_memories()
        try:
            await self._store.sweep(self._state.control, self._state.clock.wall_s())
        except StoreError as error:
            self._state.trouble("store", str(error))
