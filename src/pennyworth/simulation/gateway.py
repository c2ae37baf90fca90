"""The gateway of an episode: the shipped server, engine and client, in a process that may die and is then started anew."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from random import Random
from typing import cast

from pennyworth.assemble import Runtime
from pennyworth.ports import Clock
from pennyworth.server.worker import Stop, Worker
from pennyworth.simulation.client import GATEWAY
from pennyworth.simulation.history import History
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.parts import Disk, Faults, Fittings, parts_of
from pennyworth.simulation.process import Process
from pennyworth.simulation.scene import Scene
from pennyworth.simulation.weather import Weather
from pennyworth.view import Control

_DOWN_S = 0.5
"""How long a supervisor takes to notice a death."""


class Gateway:
    """``start``, ``stop``. Between them it is always being started again, as a supervisor does."""

    def __init__(
        self,
        scene: Scene,
        network: Network,
        weather: Weather,
        history: History,
        clock: Clock,
        faults: Faults,
        fittings: Fittings,
        *,
        tiered: bool,
        deaths: list[tuple[int, int]],
    ) -> None:
        """``deaths``: how many steps and writes each life lasts; the one after the last is not cut short."""
        self._scene = scene
        self._network = network
        self._weather = weather
        self._history = history
        self._clock = clock
        self._faults = faults
        self._fittings = fittings
        self._tiered = tiered
        self._deaths = deaths
        self._disk = Disk()
        self._stop: Stop
        self._serving: asyncio.Task[None]
        self._supervisor: asyncio.Task[None]
        self.process: Process
        self.runtime: Runtime
        self.former: list[Process] = []

    @property
    def name(self) -> str:
        """Of the process that serves; another one after each death, "" in between."""
        return "" if self.process.dead else self.process.name

    @property
    def up(self) -> bool:
        return not self.process.dead

    async def start(self) -> None:
        self._begin()
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    async def stop(self) -> None:
        """Drains and closes in order."""
        self._supervisor.cancel()
        if self.process.dead:
            self._bury()
            self._begin()
            await asyncio.sleep(0.01)
        self.spare()
        self._stop()
        await asyncio.wait([self._serving], timeout=120.0)
        if not self._serving.done():
            self._history.troubles.append("the gateway did not come to its end")
        elif (error := self._serving.exception()) is not None:
            self._history.troubles.append(f"the gateway failed: {error!r}")

    def spare(self) -> None:
        """It dies no more."""
        self._deaths.clear()
        self.process.steps_left = self.process.writes_left = -1

    def order(self, change: Callable[[Control], Control]) -> None:
        """What an operator changes, done as the admin port does it."""
        self.process.context.run(self.runtime.engine.keeper.change, change)

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self.process.dead:
                await asyncio.sleep(_DOWN_S)
                self._bury()
                self._begin()

    def _begin(self) -> None:
        death = self._deaths.pop() if self._deaths else (-1, -1)
        self.process = Process(f"w{len(self.former)}", *death)
        self._stop = self.process.context.run(Stop)
        self.process.context.run(self._assemble)

    def _assemble(self) -> None:
        name = self.process.name
        parts = parts_of(
            self.process, self._disk, self._network, self._weather, self._history, self._faults, self._fittings, tiered=self._tiered
        )
        self.runtime = Runtime(self._scene.plan, parts, name, self._report, self._clock, run=f"run{len(self.former)}")
        self._fittings.wiring(self.runtime)
        self._serving = self.process.spawn(self._serve(self.runtime, Worker(self.runtime, name), self._stop))

    async def _serve(self, runtime: Runtime, worker: Worker, stop: Stop) -> None:
        """As ``server.gateway.serve_alone``, without its admin port."""
        try:
            await worker.serve(cast(socket.socket, Address(GATEWAY)), stop)
        finally:
            await runtime.close()

    def _bury(self) -> None:
        self._history.crashes += 1
        self.former.append(self.process)
        self._disk.recover(self._history, f"{self.process.name}-0")

    def _report(self, part: str, what: str) -> None:
        if "defect" in what and not self.process.dead:
            self._history.troubles.append(f"{part}: {what}")


def deaths(chance: Random, lives: int) -> list[tuple[int, int]]:
    """Some between two steps, most in the middle of one: in a write to the journal, before or after it."""
    return [
        (-1, chance.randrange(1, 200)) if chance.random() < 0.7 else (int(chance.random() ** 2 * 20_000), -1)
        for _ in range(lives)
    ]
