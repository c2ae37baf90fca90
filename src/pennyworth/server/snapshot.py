"""What one worker has counted and is doing, as a value that travels between processes; and the sum over workers.

Figures that lie in a store shared by the workers are taken once, never added up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import msgspec

from pennyworth.assemble import Runtime
from pennyworth.engine.counters import Counters
from pennyworth.engine.health import Health
from pennyworth.ports import Store, StoreUsage

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class InForce(msgspec.Struct, frozen=True):
    """What a worker goes by at present: the versions of the control row and of the virtual keys."""

    control: int = 0
    keys: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at one moment.

    Attributes:
        worker: its name; a restarted worker keeps it, and has another ``pid``.
        plan: the digest of the Plan it works by.
        in_flight: requests whose reply has not gone out whole. ``calls``: calls to providers under way.
        enabled: whether optimisations work here: the Plan's word and the control row's together.
        control_version, epoch: of the control row this worker goes by at present. ``keys_version``: of the virtual keys.
        near: its own memory. ``shared``: the store it shares with others, if there is one.
        targets: the health of the targets it has called.
        store_trouble: why the shared store is left alone or not written; "" when all is well.
    """

    worker: str
    pid: int
    plan: str
    started_s: float
    taken_s: float
    rss_bytes: int
    in_flight: int
    calls: int
    draining: bool
    enabled: bool
    control_version: int
    epoch: int
    keys_version: int
    near: StoreUsage
    shared: StoreUsage | None
    store_trouble: str
    price_warnings: tuple[str, ...]
    counters: Counters
    targets: tuple[Health, ...] = ()

    @property
    def uptime_s(self) -> float:
        return max(self.taken_s - self.started_s, 0.0)


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All workers at one moment.

    Attributes:
        workers: those that answered. ``silent``: names of those that did not, or are being restarted.
        counters: sums over all workers there ever were since ``since_s``, the dead ones' last known figures included.
        near: the workers' memories together. ``shared``: the store they share, counted once.
    """

    workers: tuple[Snapshot, ...]
    silent: tuple[str, ...]
    counters: Counters
    near: StoreUsage
    shared: StoreUsage | None
    since_s: float
    restarts: int = 0

    @property
    def targets(self) -> tuple[Health, ...]:
        """Each target once, as all workers together see it."""
        seen: dict[str, Health] = {}
        for health in (health for snapshot in self.workers for health in snapshot.targets):
            known = seen.get(health.target)
            seen[health.target] = known.beside(health) if known else health
        return tuple(seen[name] for name in sorted(seen))

    @property
    def price_warnings(self) -> tuple[str, ...]:
        """What the workers' price books warn of, each warning once."""
        return tuple(dict.fromkeys(warning for worker in self.workers for warning in worker.price_warnings))


def take(runtime: Runtime, *, worker: str, started_s: float, in_flight: int) -> Snapshot:
    """This process's snapshot. Called on the engine's loop, because the counters belong to it."""
    state, store = runtime.state, runtime.parts.store
    now_s = state.clock.wall_s()
    return Snapshot(
        worker=worker,
        pid=os.getpid(),
        plan=state.plan.digest,
        started_s=started_s,
        taken_s=now_s,
        rss_bytes=rss_bytes(),
        in_flight=in_flight,
        calls=len(runtime.engine.flights),
        draining=state.draining,
        enabled=state.plan.enabled and state.control.enabled,
        control_version=state.control.version,
        epoch=state.control.epoch,
        keys_version=state.tenants.version,
        near=_near(store).usage(),
        shared=_shared_usage(store),
        store_trouble=_trouble(store),
        price_warnings=tuple(state.terms.rates.book.warnings(now_s)),
        counters=summed([state.counters]),
        targets=tuple(state.healths.seen(asyncio.get_running_loop().time())),
    )


def in_force(runtime: Runtime) -> InForce:
    return InForce(runtime.state.control.version, runtime.state.tenants.version)


def merge(
    answered: Sequence[Snapshot],
    *,
    since_s: float,
    silent: Sequence[str] = (),
    others: Sequence[Counters] = (),
    restarts: int = 0,
) -> Overview:
    """The sum. ``others``: counters of workers that are dead or silent."""
    newest = max((s for s in answered if s.shared is not None), key=lambda s: s.taken_s, default=None)
    return Overview(
        workers=tuple(answered),
        silent=tuple(silent),
        counters=summed([*(snapshot.counters for snapshot in answered), *others]),
        near=_added([snapshot.near for snapshot in answered]),
        shared=newest.shared if newest else None,
        since_s=since_s,
        restarts=restarts,
    )


def summed(counters: Sequence[Counters]) -> Counters:
    """A new sum; what goes in is left as it is."""
    total = Counters()
    for each in counters:
        total.merge(each)
    return total


def rss_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say (it is read from Linux's ``/proc``)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def _near(store: Store) -> Store:
    near: Store = getattr(store, "l1", store)
    return near


def _shared_usage(store: Store) -> StoreUsage | None:
    far: Store | None = getattr(store, "l2", None)
    return far.usage() if far is not None else None


def _trouble(store: Store) -> str:
    """A tiered store knows when it leaves the deep one alone, the deep one when it cannot write."""
    known = (getattr(part, "trouble", "") for part in (store, getattr(store, "l2", None)))
    return next((str(trouble) for trouble in known if trouble), "")


def _added(usages: Sequence[StoreUsage]) -> StoreUsage:
    return StoreUsage(
        entries=sum(usage.entries for usage in usages),
        bytes=sum(usage.bytes for usage in usages),
        max_entries=sum(usage.max_entries for usage in usages),
        max_bytes=sum(usage.max_bytes for usage in usages),
        evictions=sum(usage.evictions for usage in usages),
    )
