"""What a request costs at the gateway as people run it, beside the floor: the least that stock parts can cost.

Every round asks each target once, in an order that rotates, so that the noise of the machine falls on all alike. The
figure is CPU time of the gateway's whole process tree per request, background work included: it is read when that has
settled. Required and aim are for 32 callers.
"""

from __future__ import annotations

import itertools
import statistics
from contextlib import ExitStack
from typing import Literal

import msgspec
from msgspec.structs import replace

from benchmarks import machine
from benchmarks.load import Job
from benchmarks.programs import Callers, Served, bench
from benchmarks.sheet import Cell, Sheet

QUIET_US = {"hit": 39.0, "pass": 159.0}
"""What the two floors cost on a quiet machine (2 cores, 2026-11-22)."""

JUDGED_AT = 32

Floor = Literal["hit", "pass"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        floor: the yardstick it is held against.
        is_floor: it is that yardstick itself.
        job: how it is asked; ``fills``: the question is asked once before, so that its answer is kept.
        required, aim: CPU µs per request.
    """

    name: str
    floor: Floor
    job: Job
    is_floor: bool = False
    fills: bool = False
    required: float | None = None
    aim: float | None = None


_ASK = Job(port=0, connections=1)
_AGAIN = replace(_ASK, repeats=1.0)
_HIT, _MISS = "pennyworth; hit", "pennyworth; fwd=miss"

TARGETS = (
    Target(name="floor hit", floor="hit", is_floor=True, job=_AGAIN, fills=True),
    Target(name="floor pass", floor="pass", is_floor=True, job=_ASK),
    Target(
        name="exact hit",
        floor="hit",
        job=replace(_AGAIN, salt="hit", mark=_HIT),
        fills=True,
        required=70,
        aim=40,
    ),
    Target(
        name="exact hit, other bytes each time",
        floor="hit",
        job=replace(_AGAIN, salt="traced", traced=True, mark=_HIT),
        fills=True,
    ),
    Target(name="pass-through", floor="pass", job=replace(_ASK, mark=_MISS), required=300, aim=200),
    Target(
        name="stream relayed",
        floor="pass",
        job=replace(_ASK, streams=1.0, mark=_MISS),
        required=500,
        aim=350,
    ),
    Target(name="stream relayed, event by event", floor="pass", job=replace(_ASK, streams=1.0, paced=True, mark=_MISS)),
    Target(
        name="stream replayed",
        floor="hit",
        job=replace(_AGAIN, salt="replay", streams=1.0, mark=_HIT),
        fills=True,
        required=120,
        aim=80,
    ),
)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and of what gateway.

    Attributes:
        its, more: lines in its constant provider's table, and tables, of TOML; ``{port}`` is that provider's.
    """

    name: str = "gateway"
    title: str = "A request at the gateway"
    targets: tuple[Target, ...] = TARGETS
    its: str = ""
    more: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One target in one round. ``behind_us``: the part of ``cpu_us`` that is not the request thread's."""

    cpu_us: float
    behind_us: float
    per_s: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    bad: int
    first_bad: str


def run(
    *,
    rounds: int = 5,
    seconds: float = 3.0,
    callers: tuple[int, ...] = (1, JUDGED_AT),
    setting: Setting = Setting(),  # noqa: B008  frozen
) -> Sheet:
    """The bench."""
    targets = setting.targets
    machine.needs_proc()
    with bench() as programs, ExitStack() as opened:
        more = setting.more.format(port=programs.upstream.port)
        config = programs.config(programs.folder / "state", its=setting.its, more=more)
        gateway = opened.enter_context(programs.gateway(config))
        floors = {target.name: programs.floor(target.floor) for target in targets if target.is_floor}
        asking = programs.callers()
        readings: dict[tuple[str, int], list[Reading]] = {}
        for number in range(rounds):
            for count, target in itertools.product(callers, _rotated(targets, number)):
                served = floors.get(target.name, gateway)
                reading = measure(served, asking, target, count, seconds, f"{number}-{count}")
                readings.setdefault((target.name, count), []).append(reading)
    rows = [_row(target, count, readings) for count in callers for target in targets]
    return Sheet(
        name=setting.name,
        title=f"{setting.title}: CPU µs, medians over rounds",
        method=f"{rounds} rounds of {seconds:g} s a target, one worker, client key, limits, ledger and metrics on; "
        "constant upstream and callers in processes of their own.",
        rows=rows,
        notes=_notes(readings),
    )


def _rotated(targets: tuple[Target, ...], number: int) -> tuple[Target, ...]:
    start = number % len(targets)
    return targets[start:] + targets[:start]


def measure(served: Served, asking: Callers, target: Target, count: int, seconds: float, salt: str) -> Reading:
    # Answers differ in how they came, so each target's questions are its own; fresh ones are fresh in every round.
    salt = f"{target.name}-{target.job.salt or salt}"
    job = replace(target.job, port=served.port, connections=count, seconds=seconds, salt=salt)
    if target.fills:
        asking.run(replace(job, connections=1, seconds=0.0, requests=1, mark=""))
    asking.run(replace(job, seconds=min(0.2, seconds), salt=salt if target.fills else f"warm-{salt}"))
    before = machine.settled(served.pid)
    result = asking.run(job)
    after = machine.settled(served.pid)
    each = 1e6 / max(1, result.requests)
    total, first = after.total_s - before.total_s, after.first_thread_s - before.first_thread_s
    return Reading(
        cpu_us=total * each,
        behind_us=(total - first) * each,
        per_s=result.requests / result.seconds,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        rss_mb=machine.resident_mb(served.pid),
        bad=result.bad,
        first_bad=result.first_bad,
    )


def _row(target: Target, count: int, readings: dict[tuple[str, int], list[Reading]]) -> dict[str, Cell]:
    mine = readings[target.name, count]
    costs = [reading.cpu_us for reading in mine]
    cost = statistics.median(costs)
    floor = _floor(target.floor, count, readings)
    judged = count == JUDGED_AT
    return {
        "request": target.name,
        "callers": count,
        "CPU µs": cost,
        "lowest": min(costs),
        "highest": max(costs),
        "of it behind": _middle(mine, "behind_us"),
        "required": target.required if judged else None,
        "aim": target.aim if judged else None,
        "× floor": cost / floor if floor else None,
        "normalised to a quiet machine": cost * QUIET_US[target.floor] / floor if floor and judged else None,
        "p50 ms": _middle(mine, "p50_ms"),
        "p99 ms": _middle(mine, "p99_ms"),
        "requests/s": _middle(mine, "per_s"),
        "RSS MB": max(reading.rss_mb for reading in mine),
        "bad": sum(reading.bad for reading in mine),
    }


def _floor(kind: Floor, count: int, readings: dict[tuple[str, int], list[Reading]]) -> float:
    """The measured floor; 0 where it was not among the targets."""
    found = readings.get((f"floor {kind}", count), [])
    return _middle(found, "cpu_us") if found else 0.0


def _middle(readings: list[Reading], field: str) -> float:
    return float(statistics.median(getattr(reading, field) for reading in readings))


def _notes(readings: dict[tuple[str, int], list[Reading]]) -> tuple[str, ...]:
    notes = [
        "× floor: against the floor of the same kind in the same run. Normalised to a quiet machine: CPU µs × "
        f"({QUIET_US['hit']:g} / floor hit) or × ({QUIET_US['pass']:g} / floor pass). Of it behind: threads that no "
        "request waits for (store writer, ledger)."
    ]
    bad = next((reading.first_bad for each in readings.values() for reading in each if reading.bad), "")
    return (*notes, f"A bad reply began: {bad!r}") if bad else tuple(notes)
