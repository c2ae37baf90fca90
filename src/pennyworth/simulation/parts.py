"""The adapters under the simulated gateway, and where to put others: an outside store, ledger or policy can be tried here.

What lies on the ``Disk`` survives the death of a process; everything else is gone with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import NamedTuple, TypeVar

from pennyworth.assemble import Parts, Runtime
from pennyworth.decide import keys
from pennyworth.decide.key import Keyring
from pennyworth.errors import StoreError
from pennyworth.forgetting import Eraser
from pennyworth.ledgers.folder import outcome_unknown
from pennyworth.ledgers.memory import MemoryLedger
from pennyworth.ledgers.segment_book import OpenIntent
from pennyworth.outcome import Intent, Kept, Receipt
from pennyworth.ports import ControlRow, Journal, Store, StoreUsage, Upstream
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.request import Key
from pennyworth.simulation.dialler import SimulatedDialler
from pennyworth.simulation.history import History
from pennyworth.simulation.network import Network
from pennyworth.simulation.people import People
from pennyworth.simulation.process import Killed, Process
from pennyworth.simulation.severity import Faults, Severity
from pennyworth.simulation.weather import Weather
from pennyworth.stores.control import MemoryControl
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.keybook import MemoryKeyBook
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.upstreams.http import HttpUpstream
from pennyworth.view import Control

_SECRET = b"the secret of a simulated deploy"
_ENTRIES = 300

T = TypeVar("T")


def _as_it_is(part: T) -> T:
    return part


class Fittings(NamedTuple):
    """Other parts than those shipped, each given the shipped one to wrap or to leave. ``wiring`` may alter the rest."""

    keyring: Callable[[bytes], Keyring] = Keyring
    store: Callable[[Store], Store] = _as_it_is
    control: Callable[[ControlRow], ControlRow] = _as_it_is
    journal: Callable[[Journal], Journal] = _as_it_is
    upstream: Callable[[Upstream], Upstream] = _as_it_is
    wiring: Callable[[Runtime], None] = lambda runtime: None


AS_SHIPPED = Fittings()


class Disk:
    """Control row, keys, far store and journal of one deployment."""

    def __init__(self, people: People) -> None:
        self.control = MemoryControl()
        self.keybook = MemoryKeyBook()
        self.answers = MemoryStore(_ENTRIES, 10**8)
        seal = keys.sealer(Keyring(_SECRET))
        for name, secret in people.virtual:
            key = keys.made(keys.Wanted(name=name, scope="common"), secret, seal, 1.0)
            self.keybook.change(lambda row, key=key: keys.create(row, key, ()))  # type: ignore[misc]

    def recover(self, history: History, owner: str) -> None:
        """What the ledger's folder does about calls that a dead worker left open."""
        receipts = {receipt.id for receipt in history.receipts}
        for intent in history.intents.values():
            if intent.id not in receipts:
                history.receipts.append(outcome_unknown(OpenIntent(owner=owner, intent=intent)))
        history.lost.update(history.announced.keys() - history.intents.keys() - receipts - history.refused.keys())


def parts_of(
    process: Process,
    disk: Disk,
    network: Network,
    weather: Weather,
    history: History,
    severity: Severity,
    fittings: Fittings,
    run: str,
) -> Parts:
    """The parts of one process, told from its other lives by ``run``. Call it inside that process."""
    chance, faults, tiered = weather.chance, severity.faults, severity.tiered
    near = MemoryStore(_ENTRIES // (3 if tiered else 1), 10**7)
    store: Store = near
    if tiered:
        loop = asyncio.get_running_loop()
        store = TieredStore(near, FarStore(disk.answers, chance, faults), 0.05, loop.time)
    journal = SimulatedJournal(process, history, chance, faults)
    ledger, keyring = MemoryLedger(), fittings.keyring(_SECRET)
    upstream = HttpUpstream(dialler=lambda gone: SimulatedDialler(network, weather, gone))
    return Parts(
        store=WitnessedStore(fittings.store(store), process, history),
        control=fittings.control(ShakyControl(disk.control, chance, faults)),
        keybook=LastingKeyBook(disk.keybook),
        journal=fittings.journal(journal),
        ledger=ledger,
        upstream=fittings.upstream(upstream),
        keyring=keyring,
        eraser=Eraser(keyring, (ledger, near), ledger, lambda: None),
        once=MemoryIdempotency(),
        accounts=MemoryQuotas(),
        run=run,
    )


class SimulatedJournal:
    """A ``Journal`` that acknowledges, refuses, or is the last thing its process did: before or after the write."""

    def __init__(self, process: Process, history: History, chance: Random, faults: Faults) -> None:
        self._process = process
        self._history = history
        self._chance = chance
        self._faults = faults

    def append(self, record: Intent | Receipt) -> None:
        if self._process.dead:
            raise Killed
        if self._process.writes_left >= 0:
            self._process.writes_left -= 1
            if self._process.writes_left < 0:
                self._last(record)
        if self._faults.journal and self._chance.random() < self._faults.journal:
            self._history.refuse(record)
            raise StoreError("no space left on the simulated disk")
        self._history.acknowledge(record)

    def close(self) -> None:
        """Nothing to close."""

    def _last(self, record: Intent | Receipt) -> None:
        if self._chance.random() < 0.5:
            self._history.acknowledge(record)
        self._process.kill()
        raise Killed


class ShakyControl:
    """A ``ControlRow`` that cannot always be read; but for the first time, without which no gateway starts."""

    def __init__(self, row: MemoryControl, chance: Random, faults: Faults) -> None:
        self._row = row
        self._chance = chance
        self._faults = faults
        self._started = False

    def read(self) -> Control:
        started, self._started = self._started, True
        if started and self._chance.random() < self._faults.control:
            raise StoreError("the simulated control row is busy")
        return self._row.read()

    def change(self, apply: Callable[[Control], Control]) -> Control:
        return self._row.change(apply)

    def close(self) -> None:
        """It outlives the process."""


class LastingKeyBook:
    """A ``KeyBook`` that outlives the process."""

    def __init__(self, book: MemoryKeyBook) -> None:
        self.read = book.read
        self.change = book.change

    def close(self) -> None:
        """It stays open."""


class FarStore:
    """A ``Store`` that takes its time, and sometimes fails: before it has done anything, or after."""

    immediate = False

    def __init__(self, inner: MemoryStore, chance: Random, faults: Faults) -> None:
        self._inner = inner
        self._chance = chance
        self._faults = faults

    async def get(self, key: Key, now_s: float) -> Kept | None:
        await self._suffer()
        found = await self._inner.get(key, now_s)
        await self._suffer()
        return found

    async def put(self, kept: Kept) -> None:
        await self._suffer()
        await self._inner.put(kept)
        await self._suffer()

    async def sweep(self, control: Control, now_s: float) -> int:
        await self._suffer()
        return await self._inner.sweep(control, now_s)

    def usage(self) -> StoreUsage:
        return self._inner.usage()

    async def close(self) -> None:
        """It outlives the process."""

    async def _suffer(self) -> None:
        chance, faults = self._chance, self._faults
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * faults.slow_s)
        if chance.random() < faults.store:
            raise StoreError("the simulated store failed")


class WitnessedStore:
    """A ``Store`` whose puts are noted: what is kept must be worth it, whether anybody asks for it again or not."""

    def __init__(self, inner: Store, process: Process, history: History) -> None:
        self.immediate = inner.immediate
        self._inner = inner
        self._process = process
        self._history = history

    async def get(self, key: Key, now_s: float) -> Kept | None:
        return await self._inner.get(key, now_s)

    async def put(self, kept: Kept) -> None:
        if not self._process.dead:
            self._history.keeps(kept)
            await self._inner.put(kept)

    async def sweep(self, control: Control, now_s: float) -> int:
        return await self._inner.sweep(control, now_s)

    def usage(self) -> StoreUsage:
        return self._inner.usage()

    async def close(self) -> None:
        await self._inner.close()
