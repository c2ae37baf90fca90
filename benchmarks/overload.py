"""Five times as many requests as there is capacity for: who is served, how soon are the others sent away, and how soon is
all well again?

The provider takes 100 ms a call and has room for 20, so 200 requests a second are all it can do. Callers come whether or
not those before them have been served.
"""

from __future__ import annotations

import statistics
import sys

import msgspec

from benchmarks import machine
from benchmarks.open_loop import Course, Met
from benchmarks.programs import bench
from benchmarks.sheet import Cell, Sheet

TAKES_S, ROOM = 0.1, 20
CAPACITY = ROOM / TAKES_S

SHED_MS, SLOWER, RECOVERY_S = 50.0, 2.0, 2.0


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to configure the bound."""

    name: str
    more: str


WAYS = (
    Way(
        name="max_concurrency 20, max_waiting 16",
        more="[providers.constant.calls]\nmax_concurrency = 20\nmax_waiting = 16\n",
    ),
    Way(
        name="max_in_flight 36", more="[limits]\nmax_in_flight = 36\n[providers.constant.calls]\nmax_concurrency = 20\n"
    ),
    Way(name="nothing set: learnt from 429s", more=""),
)


def run(*, seconds: float = 20.0, ways: tuple[Way, ...] = WAYS) -> Sheet:
    """The bench."""
    machine.needs_proc()
    return Sheet(
        name="overload",
        title="Overload: five times the capacity",
        method=f"Provider: {TAKES_S * 1000:g} ms a call, room for {ROOM}, 429 beyond. {CAPACITY * 0.9:g} requests/s for {seconds / 2:g} s, "
        f"{CAPACITY * 5:g}/s for {seconds:g} s, {CAPACITY / 2:g}/s for {seconds / 2:g} s; one worker.",
        rows=[_measured(way, seconds) for way in ways],
        notes=(
            f"Required: sent away in {SHED_MS:g} ms with 429/503 and Retry-After, p99 of the served at most {SLOWER:g} × that at "
            f"capacity, well again in {RECOVERY_S:g} s.",
        ),
    )


def _measured(way: Way, seconds: float) -> dict[str, Cell]:
    phases = [(CAPACITY * 0.9, seconds / 2), (CAPACITY * 5, seconds), (CAPACITY / 2, seconds / 2)]
    with bench() as programs:
        provider = programs.listening(
            sys.executable, "-m", "benchmarks.moody_provider", "--takes", str(TAKES_S), "--room", str(ROOM)
        )
        config = programs.config(programs.folder / "state", provider=provider.port, more=way.more)
        with programs.gateway(config) as gateway:
            programs.paced().run(Course(port=gateway.port, salt="warm", phases=[(50.0, 1.0)]))
            met = programs.paced().run(Course(port=gateway.port, salt="overload", phases=phases))
    usual, crowd, after = (_between(met, a, b) for a, b in _spans(phases))
    served, shed = [one for one in crowd if one.status == 200], [one for one in crowd if one.status != 200]
    at_capacity = percentile([one.took_ms for one in usual if one.status == 200], 99)
    return {
        "bound": way.name,
        "offered/s": len(crowd) / seconds,
        "served/s": len(served) / seconds,
        "p99 ms at capacity": at_capacity,
        "p99 ms of the served": percentile([one.took_ms for one in served], 99),
        "× capacity's": percentile([one.took_ms for one in served], 99) / at_capacity,
        "sent away": len(shed),
        "in ms, p50": percentile([one.took_ms for one in shed], 50),
        "p99": percentile([one.took_ms for one in shed], 99),
        "without Retry-After": sum(not one.come_back for one in shed),
        "no answer": sum(one.status == 0 for one in met),
        "well again after s": well_again(after, phases[0][1] + phases[1][1], 1.5 * at_capacity),
    }


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0


def well_again(met: list[Met], since_s: float, within_ms: float) -> float:
    """How long after ``since_s`` the last one came who was not served as usual."""
    bad = [one.at_s for one in met if one.status != 200 or one.took_ms > within_ms]
    return max(bad, default=since_s) - since_s


def _spans(phases: list[tuple[float, float]]) -> list[tuple[float, float]]:
    spans, start = [], 0.0
    for _, seconds in phases:
        spans.append((start, start + seconds))
        start += seconds
    return spans


def _between(met: list[Met], start: float, end: float) -> list[Met]:
    return [one for one in met if start <= one.at_s < end]
