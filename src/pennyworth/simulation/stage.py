"""Plays an episode: opens a deployment, lets everything happen to it, lets it recover, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

from pennyworth.decide import invalidate
from pennyworth.simulation.client import Client
from pennyworth.simulation.clock import SimulatedClock
from pennyworth.simulation.gateway import Gateway
from pennyworth.simulation.history import History, Order
from pennyworth.simulation.laws import Broken
from pennyworth.simulation.loop import VirtualLoop
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.operators import Operator
from pennyworth.simulation.parts import Fittings
from pennyworth.simulation.provider import SimulatedProvider
from pennyworth.simulation.scene import PROVIDERS, scene
from pennyworth.simulation.severity import severity
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wishes import Question, Wish, Wishes, questions

_AFTERWARDS = 12
"""Requests when all is well again, so that it is seen that it is."""

_NOTICED_S = 310.0
"""A breaker rests for a minute at most, an account that had no money for five."""

_SETTLE_S = 90.0
"""After the last client: longer than idle connections are kept, so that what is slow to end has ended."""


class Stage:
    """``play`` once; then ``history`` and ``left_over`` say what happened, and ``bury`` ends it for good."""

    def __init__(self, seed: str, requests: int, network: Network, loop: VirtualLoop, fittings: Fittings) -> None:
        self.history = History()
        self.chance = chance = Random(seed)
        self.severity = severity(chance)
        self.scene = scene(chance, chance.choice((2, 5, 20)))
        self.providers: list[SimulatedProvider] = []
        self._requests = requests
        self._network = network
        self._loop = loop
        self._clock = clock = SimulatedClock(loop)
        self._near = Weather(chance, self.severity.network, 3.0)
        self._beyond = Weather(chance, self.severity.network, 20.0)
        self._gateway = Gateway(self.scene, network, self._beyond, self.history, clock, self.severity, fittings, loop)
        self._held: list[Broken] = []

    async def play(self) -> None:
        chance = self.chance
        self._open_providers()
        self._gateway.start()
        await asyncio.sleep(0.001)
        operator = Operator(self._gateway, self.history, self._clock, chance, self.scene)
        operating = self._loop.create_task(operator.work())
        asked = questions(chance, chance.choice((6, 20, 60)))
        await self._clients(self._wishes(asked, self.severity.clients, 0), self._requests, chance.choice((4, 12, 40)))
        operating.cancel()
        await self._all_well()
        await self._clients(self._wishes(asked, 0.0, self._requests), _AFTERWARDS, 1)
        await asyncio.sleep(_SETTLE_S)
        self._held = list(self._at_rest())
        await self._gateway.stop()
        await asyncio.sleep(_SETTLE_S)

    def left_over(self) -> Iterator[Broken]:
        """What is still there when all should be gone, and what nobody foresaw."""
        yield from self._held
        for what in (*self.history.troubles, *self._loop.troubles):
            yield Broken("no defect", 0, what)
        if tasks := self._gateway.process.unfinished():
            name = getattr(tasks[0].get_coro(), "__qualname__", "")
            yield Broken("nothing left over", 0, f"{len(tasks)} tasks, such as {name}")
        for side, whose in (("the gateway's", self._gateway.process), ("the other", None)):
            if ends := self._network.open_ends(whose):
                such = type(ends[0].get_protocol()).__name__
                yield Broken("nothing left over", 0, f"{len(ends)} connections on {side} side, such as a {such}")
        for provider in self.providers:
            if provider.busy:
                yield Broken("nothing left over", 0, f"{provider.busy} calls that {provider.name} is still answering")

    def bury(self) -> None:
        self._gateway.bury()

    def _open_providers(self) -> None:
        for name in PROVIDERS:
            rate = self.severity.providers
            provider = SimulatedProvider(name, self.scene, self.chance, rate, self.history, self._clock.wall_s)
            self._network.listen(Address(f"{name}.sim"), provider.line)
            self.providers.append(provider)

    def _wishes(self, asked: list[Question], busy: float, before: int) -> Wishes:
        return Wishes(self.chance, self.scene.people.tenants, asked, busy, before)

    async def _clients(self, wishes: Wishes, requests: int, number: int) -> None:
        left = iter(range(requests))

        def next_wish() -> Wish | None:
            return None if next(left, None) is None else wishes.wish()

        clients = [
            Client(self._network, self._near, self.history, self._clock.wall_s, lambda: self._gateway.name)
            for _ in range(number)
        ]
        await asyncio.gather(*[client.work(next_wish) for client in clients])

    async def _all_well(self) -> None:
        """The storm is over; it takes a while until everybody has noticed."""
        self._gateway.spare()
        self._near.calm()
        self._beyond.calm()
        for provider in self.providers:
            provider.calm()
        await asyncio.sleep(_NOTICED_S)
        self._gateway.order(invalidate.enable)
        self.history.orders.append(Order(self._loop.time(), "on"))
        self.history.calm = True

    def _at_rest(self) -> Iterator[Broken]:
        """What a gateway holds that nobody has asked for a while: nothing."""
        if flights := len(self._gateway.runtime.engine.flights):
            yield Broken("nothing held", 0, f"{flights} flights")
        if ends := self._network.open_ends(self._gateway.process):
            such = type(ends[0].get_protocol()).__name__
            yield Broken("nothing held", 0, f"{len(ends)} connections, such as a {such}")
