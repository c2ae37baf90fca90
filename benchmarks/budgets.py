"""What budgets and rates add to a request: two gateways side by side, alike but for the limits of their one key.

Both are asked in every round, one right after the other and in turns first, so that the noise of the machine falls on
both alike; the figure is the median of the differences within rounds.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks import machine
from benchmarks.gateway import TARGETS, Reading, Target, measure
from benchmarks.programs import bench
from benchmarks.sheet import Cell, Sheet

LIMITS = """\
team = "bench"
budget_day = "1000 USD"
budget_month = "10000 USD"
requests_per_minute = 100000000
tokens_per_minute = 10000000000
"""
OTHERS = """\
[teams.bench]
budget_day = "2000 USD"

[everyone]
budget_month = "20000 USD"
requests_per_minute = 1000000000
"""
"""Seven accounts for each request; none of them is ever used up."""

CALLERS = 32
ASKED = ("exact hit", "pass-through")


class Pair(NamedTuple):
    """One round."""

    without: Reading
    limited: Reading


def run(*, rounds: int = 9, seconds: float = 3.0, callers: int = CALLERS) -> Sheet:
    """The bench."""
    machine.needs_proc()
    targets = [target for target in TARGETS if target.name in ASKED]
    pairs: dict[str, list[Pair]] = {target.name: [] for target in targets}
    with bench() as programs, ExitStack() as opened:
        plain = opened.enter_context(programs.gateway(programs.config(programs.folder / "plain")))
        limited = opened.enter_context(
            programs.gateway(programs.config(programs.folder / "limited", limits=LIMITS, more=OTHERS))
        )
        asking = programs.callers()
        for number in range(rounds):
            for target in targets:
                first, second = (plain, limited) if number % 2 else (limited, plain)
                one = measure(first, asking, target, callers, seconds, f"{number}")
                other = measure(second, asking, target, callers, seconds, f"{number}")
                pairs[target.name].append(Pair(one, other) if number % 2 else Pair(other, one))
    return Sheet(
        name="budgets",
        title="What budgets and rates add to a request",
        method=f"{rounds} rounds of {seconds:g} s each way, {callers} callers, one worker; a key, its team and everyone "
        "with budgets and rates, seven accounts in all, against the same key without. Medians over rounds.",
        rows=[_row(target, pairs[target.name]) for target in targets],
        notes=("Added: median of the differences within rounds, and from the lowest to the highest of them.",),
    )


def _row(target: Target, pairs: list[Pair]) -> dict[str, Cell]:
    cpu = [pair.limited.cpu_us - pair.without.cpu_us for pair in pairs]
    p99 = [pair.limited.p99_ms - pair.without.p99_ms for pair in pairs]
    return {
        "request": target.name,
        "CPU µs without": statistics.median(pair.without.cpu_us for pair in pairs),
        "with": statistics.median(pair.limited.cpu_us for pair in pairs),
        "added": statistics.median(cpu),
        "added, spread": f"{min(cpu):.1f} to {max(cpu):.1f}",
        "p99 ms without": statistics.median(pair.without.p99_ms for pair in pairs),
        "p99 with": statistics.median(pair.limited.p99_ms for pair in pairs),
        "p99 added": statistics.median(p99),
        "p99 added, spread": f"{min(p99):.2f} to {max(p99):.2f}",
        "bad": sum(pair.without.bad + pair.limited.bad for pair in pairs),
    }
