"""One episode: a deployment, its clients, providers and operators, from opening to quiescence, and what the laws say of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from random import Random

import msgspec

from pennyworth.simulation.client import Client
from pennyworth.simulation.clock import SimulatedClock
from pennyworth.simulation.gateway import Gateway, deaths
from pennyworth.simulation.history import Call, History
from pennyworth.simulation.laws import Broken, Evidence, Law
from pennyworth.simulation.laws_answers import answers
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

LAWS: tuple[Law, ...] = (answers, receipts, kept_answers, books, savings)
_SETTLE_S = 90.0
"""After the last client, so that what is slow to end has ended."""


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

    async def play(self) -> None:
        chance, severity = self._chance, self._severity
        for name in PROVIDERS:
            provider = SimulatedProvider(
                name, self._scene, chance, severity.providers, self._history, self._clock.wall_s
            )
            self._network.listen(Address(f"{name}.sim"), provider.line)
            self._providers.append(provider)
        self._gateway = Gateway(
            self._scene,
            self._network,
            Weather(chance, severity.network, 20.0),
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
        await self._clients()
        operating.cancel()
        await asyncio.sleep(1.0)
        await self._gateway.stop()
        await asyncio.sleep(_SETTLE_S)

    async def _clients(self) -> None:
        chance, severity = self._chance, self._severity
        asked = questions(chance, chance.choice((6, 20, 60)))
        wishes = Wishes(chance, self._scene.tenants, asked, severity.clients)
        left = iter(range(self._requests))
        weather = Weather(chance, severity.network, 3.0)

        def next_wish() -> Wish | None:
            return None if next(left, None) is None else wishes.wish()

        clients = [
            Client(self._network, weather, self._history, self._clock.wall_s, lambda: self._gateway.name)
            for _ in range(chance.choice((4, 12, 40)))
        ]
        await asyncio.gather(*[client.work(next_wish) for client in clients])

    def verdict(self, stuck: str) -> Episode:
        history = self._history
        evidence = Evidence(self._scene, history, self._amount)
        broken = [found for law in LAWS for found in law(evidence)]
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

    def _leaks(self) -> Iterator[Broken]:
        gateway, law = self._gateway, "nothing left over"
        for what in (*self._history.troubles, *self._loop.troubles):
            yield Broken("no defect", 0, what)
        tasks = gateway.process.unfinished()
        if tasks:
            yield Broken(law, 0, f"{len(tasks)} tasks, such as {tasks[0].get_coro()!r}")
        if len(gateway.runtime.engine.flights):
            yield Broken(law, 0, f"{len(gateway.runtime.engine.flights)} flights")
        for whose in (gateway.process, None):
            ends = self._network.open_ends(whose)
            if ends:
                side = "the gateway's" if whose else "the other"
                yield Broken(law, 0, f"{len(ends)} open connections on {side} side, such as of {ends[0].get_protocol()!r}")
        for provider in self._providers:
            if provider.busy:
                yield Broken(law, 0, f"{provider.busy} calls that {provider.name} is still answering")


def _severity(chance: Random) -> _Severity:
    quiet = chance.random() < 0.15
    draw = chance.choice
    if quiet:
        return _Severity(0.0, 0.0, 0.3, Faults(), 0, draw((True, False)))
    faults = Faults(
        store=draw((0.0, 0.02, 0.2)),
        slow_s=draw((0.001, 0.2)),
        journal=draw((0.0, 0.0, 0.0, 0.01)),
        control=draw((0.0, 0.1)),
    )
    lives = draw((0, 0, 1, 4))
    return _Severity(draw((0.0, 0.05, 0.3)), draw((0.02, 0.1, 0.4)), draw((0.1, 0.6)), faults, lives, draw((True, False)))


