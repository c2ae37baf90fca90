"""Operators, who purge, throw switches, announce new weights, and set the clock, in the middle of everything."""

from __future__ import annotations

import asyncio
from random import Random

from msgspec.structs import replace

from pennyworth.decide import invalidate
from pennyworth.plan import Switch
from pennyworth.simulation.clock import SimulatedClock
from pennyworth.simulation.gateway import Gateway
from pennyworth.simulation.history import History, Order
from pennyworth.simulation.scene import MODELS, Scene

_LAYERS = ("exact", "normalised", "coalesced", "stale")
_JUMPS_S = (-7200.0, -3.0, 150.0, 1800.0, 4000.0, 400 * 86400.0)


class Operator:
    def __init__(self, gateway: Gateway, history: History, clock: SimulatedClock, chance: Random, scene: Scene) -> None:
        self._gateway = gateway
        self._history = history
        self._clock = clock
        self._chance = chance
        self._keys = [name for name, _ in scene.people.virtual]
        self._plans = (scene.plan, replace(scene.plan, digest="another", switches={"coalesced": Switch(30.0)}))
        self._routes = [route.name for route in scene.plan.routes]
        self._loop = asyncio.get_running_loop()

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._chance.random() * 3.0)
            if self._gateway.up:
                await self._do(self._chance.randrange(13))

    async def _do(self, drawn: int) -> None:
        chance = self._chance
        match drawn:
            case 0:
                self._purge("all", "")
            case 1 | 2:
                self._purge("model", chance.choice(MODELS))
            case 3:
                self._purge_by_receipt()
            case 4:
                model = chance.choice(MODELS)
                self._gateway.order(lambda row: invalidate.bump_revision(row, model))
                self._done("model", model)
            case 5:
                await self._kill_switch()
            case 6 | 7:
                self._switch()
            case 8 | 9:
                self._clock.set_by(chance.choice(_JUMPS_S))
            case 10:
                self._gateway.adopt(chance.choice(self._plans))
            case 11:
                self._revoke()

    def _purge(self, by: str, value: str) -> None:
        now_s = self._clock.wall_s()
        self._gateway.order(lambda row: invalidate.purge(row, by, value, now_s))  # type: ignore[arg-type]
        self._done(by, value)

    def _purge_by_receipt(self) -> None:
        if not self._history.receipts:
            return
        receipt = self._chance.choice(self._history.receipts[-50:])
        if receipt.key and self._chance.random() < 0.5:
            self._purge("key", receipt.key)
        else:
            self._purge("scope", receipt.scope)

    def _revoke(self) -> None:
        if self._keys and self._chance.random() < 0.3:
            key = self._keys.pop()
            self._gateway.revoke(key, self._clock.wall_s())
            self._done("revoke", key)

    async def _kill_switch(self) -> None:
        self._gateway.order(invalidate.disable)
        self._done("off", "")
        await asyncio.sleep(self._chance.random() * 2.0)
        await self._gateway.lives()
        self._gateway.order(invalidate.enable)
        self._done("on", "")

    def _switch(self) -> None:
        where = self._chance.choice(_LAYERS)
        if self._chance.random() < 0.5:
            where = f"{where}@{self._chance.choice(self._routes)}"
        switch = self._chance.choice((None, Switch(0.0), Switch(50.0), Switch(100.0)))
        self._gateway.order(lambda row: invalidate.set_switch(row, where, switch, self._routes))

    def _done(self, what: str, value: str) -> None:
        self._history.orders.append(Order(self._loop.time(), what, value))
