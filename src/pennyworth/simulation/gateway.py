"""The gateway of an episode: the shipped server, engine and client, in a process that may die and is then started anew."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Callable
from typing import cast

from pennyworth.assemble import Runtime
from pennyworth.decide import keys
from pennyworth.engine.terms import make_terms
from pennyworth.plan import Plan
from pennyworth.ports import Clock
from pennyworth.server.worker import Stop, Worker
from pennyworth.simulation.client import GATEWAY
from pennyworth.simulation.history import History
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.parts import Disk, Fittings, parts_of
from pennyworth.simulation.prices import NoPrices
from pennyworth.simulation.process import Process
from pennyworth.simulation.scene import Scene
from pennyworth.simulation.severity import Severity
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
        severity: Severity,
        fittings: Fittings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.process: Process
        self.runtime: Runtime
        self.former: list[Process] = []
        self._terms = make_terms(scene.plan, NoPrices())
        self._network = network
        self._weather = weather
        self._history = history
        self._clock = clock
        self._severity = severity
        self._fittings = fittings
        self._loop = loop
        self._deaths = list(severity.deaths)
        self._disk = Disk(scene.people)
        self._stop: Stop
        self._serving: asyncio.Task[None]
        self._outside = contextvars.copy_context()
        self._lives = asyncio.Event()
        self._closed = False

    @property
    def name(self) -> str:
        """Of the process that serves; another one after each death, "" in between."""
        return "" if self.process.dead else self.process.name

    @property
    def up(self) -> bool:
        return not self.process.dead

    def revoke(self, key: str, now_s: float) -> None:
        """As the admin port does it: written, and seen by the workers when they look."""
        self._disk.keybook.change(lambda row: keys.revoke(row, key, now_s))

    def adopt(self, plan: Plan) -> None:
        """Another configuration, until it dies: the file it starts with is the old one."""
        self.process.context.run(self.runtime.adopt, make_terms(plan, NoPrices(), self._terms))

    async def lives(self) -> None:
        """Waits for the next life, if it is dead."""
        await self._lives.wait()

    def start(self) -> None:
        self._begin()

    async def stop(self) -> None:
        """Drains and closes in order."""
        await self.lives()
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

    def _died(self) -> None:
        self._lives.clear()
        self._loop.call_later(_DOWN_S, self._start_again, context=self._outside)

    def _start_again(self) -> None:
        if not self._closed:
            self._history.crashes += 1
            self.former.append(self.process)
            self._disk.recover(self._history, f"{self.process.name}-0")
            self._begin()

    def _begin(self) -> None:
        death = self._deaths.pop() if self._deaths else (-1, -1)
        self.process = Process(f"w{len(self.former)}", *death)
        self.process.on_death = self._died
        self._stop = self.process.context.run(Stop)
        self.process.context.run(self._assemble)
        self._lives.set()

    def _assemble(self) -> None:
        name = self.process.name
        parts = parts_of(
            self.process,
            self._disk,
            self._network,
            self._weather,
            self._history,
            self._severity,
            self._fittings,
            f"run{len(self.former)}",
        )
        self.runtime = Runtime(self._terms, parts, name, self._report, self._clock)
        self._fittings.wiring(self.runtime)
        self._serving = self.process.spawn(self._serve(self.runtime, Worker(self.runtime, name), self._stop))

    async def _serve(self, runtime: Runtime, worker: Worker, stop: Stop) -> None:
        """As ``server.gateway.serve_alone``, without its admin port."""
        try:
            await worker.serve(cast(socket.socket, Address(GATEWAY)), stop)
        finally:
            await runtime.close()

    def bury(self) -> None:
        """The end of the episode, whatever still runs."""
        self._closed = True
        for process in (*self.former, self.process):
            process.bury()

    def _report(self, part: str, what: str) -> None:
        if "defect" in what and not self.process.dead:
            self._history.troubles.append(f"{part}: {what}")
