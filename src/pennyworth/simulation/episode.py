"""One episode: a deployment, its clients, providers and operators, from opening to quiescence, and what the laws say of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from random import Random

import msgspec

from pennyworth.decide import invalidate
from pennyworth.simulation.client import Client
from pennyworth.simulation.clock import SimulatedClock
from pennyworth.simulation.gateway import Gateway, deaths
from pennyworth.simulation.history import Call, History, Order
from pennyworth.simulation.laws import Broken, Evidence, Law
from pennyworth.simulation.laws_answers import answers, served
from pennyworth.simulation.laws_books import books, savings
from pennyworth.simulation.laws_receipts import kept_answers, receipts
from pennyworth.simulation.loop import StuckError, VirtualLoop
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.operators import Operator
from pennyworth.simulation.parts import AS_SHIPPED, Faults, Fittings
from pennyworth.simulation.provider import SimulatedProvider
from pennyworth.simulation.scene import PROVIDERS, Scene, scene
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wishes import Wish, Wishes, questions

LAWS: tuple[Law, ...] = (answers, served, receipts, kept_answers, books, savings)
_AFTERWARDS = 12
"""Requests when all is well again, so that it is seen that it is."""

_NOTICED_S = 310.0
"""A breaker rests for a minute at most, an account that had no money for five."""

_SETTLE_S = 90.0
"""After the last client: longer than idle connections are kept, so that what is slow to end has ended."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        wishes: so many requests were wished for; ``requests``: so many found a gateway to ask.
        digest: of the history, the same for the same seed and number of wishes, everywhere. ``served``: how often what.
    """

    seed: str
    wishes: int
    requests: int
    digest: str
    broken: list[Broken]
    served: dict[str, int]
    calls: int
    crashes: int
    steps: int
    seconds: float


class _Severity(msgspec.Struct, frozen=True):
    """How bad things are in this episode. A quiet one is where the books must agree without exception."""

    network: float
    providers: float
    clients: float
    parts: Faults
    lives: int
    tiered: bool
    quiet: bool = False


def play(seed: str, requests: int, fittings: Fittings = AS_SHIPPED) -> Episode:
    """Plays the episode of this seed, with so many requests."""
    network = Network()
    loop = VirtualLoop(network)
    stage = _Stage(seed, requests, network, loop, fittings)
    collects = gc.isenabled()
    gc.disable()  # what is found when is chance that no seed rules
    try:
        asyncio.set_event_loop(loop)
        stuck = ""
        try:
            loop.run_until_complete(stage.play())
        except StuckError as error:
            stuck = str(error)
        return stage.verdict(stuck)
    finally:
        stage.bury()
        asyncio.set_event_loop(None)
        loop.close()
        if collects:
            gc.enable()


class _Stage:
    def __init__(self, seed: str, requests: int, network: Network, loop: VirtualLoop, fittings: Fittings) -> None:
        self._seed = seed
        self._requests = requests
        self._network = network
        self._loop = loop
        self._chance = Random(seed)
        self._history = History()
        self._clock = SimulatedClock(loop)
        self._severity = _severity(self._chance)
        self._scene: Scene = scene(self._chance, self._chance.choice((2, 5, 20)))
        self._fittings = fittings
        self._providers: list[SimulatedProvider] = []
        self._gateway: Gateway
        self._held: list[Broken] = []

    async def play(self) -> None:
        chance, severity = self._chance, self._severity
        for name in PROVIDERS:
            provider = SimulatedProvider(
                name, self._scene, chance, severity.providers, self._history, self._clock.wall_s
            )
            self._network.listen(Address(f"{name}.sim"), provider.line)
            self._providers.append(provider)
        beyond = Weather(chance, severity.network, 20.0)
        self._gateway = Gateway(
            self._scene,
            self._network,
            beyond,
            self._history,
            self._clock,
            severity.parts,
            self._fittings,
            tiered=severity.tiered,
            deaths=deaths(chance, severity.lives),
        )
        await self._gateway.start()
        await asyncio.sleep(0.001)
        operator = Operator(self._gateway, self._history, self._clock, chance, self._scene)
        operating = self._loop.create_task(operator.work())
        asked = questions(chance, chance.choice((6, 20, 60)))
        wishes = Wishes(chance, self._scene.tenants, asked, severity.clients)
        near = Weather(chance, severity.network, 3.0)
        await self._clients(wishes, near, self._requests, chance.choice((4, 12, 40)))
        operating.cancel()
        await self._all_well(near, beyond)
        await self._clients(Wishes(chance, self._scene.tenants, asked, 0.0, self._requests), near, _AFTERWARDS, 1)
        await asyncio.sleep(_SETTLE_S)
        self._held = list(self._at_rest())
        await self._gateway.stop()
        await asyncio.sleep(_SETTLE_S)

    async def _all_well(self, *weathers: Weather) -> None:
        """The storm is over; it takes a while until everybody has noticed."""
        self._gateway.spare()
        for weather in weathers:
            weather.calm()
        for provider in self._providers:
            provider.calm()
        await asyncio.sleep(_NOTICED_S)
        self._gateway.order(invalidate.enable)
        self._history.orders.append(Order(self._loop.time(), "on"))
        self._history.calm = True

    async def _clients(self, wishes: Wishes, weather: Weather, requests: int, number: int) -> None:
        left = iter(range(requests))

        def next_wish() -> Wish | None:
            return None if next(left, None) is None else wishes.wish()

        clients = [
            Client(self._network, weather, self._history, self._clock.wall_s, lambda: self._gateway.name)
            for _ in range(number)
        ]
        await asyncio.gather(*[client.work(next_wish) for client in clients])

    def verdict(self, stuck: str) -> Episode:
        history = self._history
        evidence = Evidence(self._scene, history, self._amount, self._severity.quiet)
        broken = [found for law in LAWS for found in law(evidence)]
        broken += self._held
        broken += self._leaks()
        if stuck:
            broken.insert(0, Broken("nobody waits for ever", 0, stuck))
        return Episode(
            seed=self._seed,
            wishes=self._requests,
            requests=len(history.asked),
            digest=history.digest(),
            broken=broken,
            served=dict(Counter(f"{receipt.served}/{receipt.ending}" for receipt in history.receipts)),
            calls=len(history.calls),
            crashes=history.crashes,
            steps=self._loop.steps,
            seconds=self._loop.time(),
        )

    def bury(self) -> None:
        gateway = getattr(self, "_gateway", None)
        if gateway is not None:
            for process in (*gateway.former, gateway.process):
                process.bury()

    def _amount(self, call: Call, model: str) -> int:
        assert call.line is not None
        return self._providers[0].sandbox.bill.amount_pico(model, call.line.usage)

    def _at_rest(self) -> Iterator[Broken]:
        """What a gateway holds that nobody has asked for a while: nothing."""
        runtime = self._gateway.runtime
        if len(runtime.engine.flights):
            yield Broken("nothing held", 0, f"{len(runtime.engine.flights)} flights")
        if ends := self._network.open_ends(self._gateway.process):
            yield Broken("nothing held", 0, f"{len(ends)} connections, such as a {type(ends[0].get_protocol()).__name__}")

    def _leaks(self) -> Iterator[Broken]:
        gateway, law = self._gateway, "nothing left over"
        for what in (*self._history.troubles, *self._loop.troubles):
            yield Broken("no defect", 0, what)
        tasks = gateway.process.unfinished()
        if tasks:
            yield Broken(law, 0, f"{len(tasks)} tasks, such as {tasks[0].get_coro().__qualname__}")
        if len(gateway.runtime.engine.flights):
            yield Broken(law, 0, f"{len(gateway.runtime.engine.flights)} flights")
        for whose in (gateway.process, None):
            ends = self._network.open_ends(whose)
            if ends:
                side = "the gateway's" if whose else "the other"
                yield Broken(law, 0, f"{len(ends)} open connections on {side} side, such as a {type(ends[0].get_protocol()).__name__}")
        for provider in self._providers:
            if provider.busy:
                yield Broken(law, 0, f"{provider.busy} calls that {provider.name} is still answering")


def _severity(chance: Random) -> _Severity:
    quiet = chance.random() < 0.15
    draw = chance.choice
    if quiet:
        return _Severity(0.0, 0.0, 0.3, Faults(), 0, draw((True, False)), quiet=True)
    faults = Faults(
        store=draw((0.0, 0.02, 0.2)),
        slow_s=draw((0.001, 0.2)),
        journal=draw((0.0, 0.0, 0.0, 0.01)),
        control=draw((0.0, 0.1)),
    )
    lives = draw((0, 0, 2, 6))
    return _Severity(draw((0.0, 0.05, 0.3)), draw((0.02, 0.1, 0.3)), draw((0.1, 1.0)), faults, lives, draw((True, False)))


