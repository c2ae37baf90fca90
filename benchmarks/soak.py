"""What takes longer than a test may: a million requests through one gateway, and a million trials of each reader.

    .venv/bin/python -m benchmarks.soak [--requests N] [--trials N] [--seed N]

It ends with 0 only if every reply was good, memory stayed flat and within its limit, the books hold every request and
exactly the calls that the upstream counted, and no trial found anything.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks import fuzz, machine, memory
from benchmarks.load import Job, Result
from benchmarks.programs import bench
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Totals
from pennyworth.state_dir import LEDGER

FLAT_MB = 2.0
"""Megabytes per 10⁵ requests that count as flat: what the allocator may still spread after L1 has filled."""

_PORTIONS = 4


class Sent:
    """Sends jobs, and counts what has been sent."""

    def __init__(self, ask: memory.Ask) -> None:
        self.requests = 0
        self._ask = ask

    def __call__(self, job: Job) -> Result:
        result = self._ask(job)
        self.requests += result.requests
        return result


def soak(requests: int, slices: int = memory.SLICES) -> list[str]:
    """The requests; what was wrong, in words."""
    with bench() as programs:
        state = programs.folder / "state"
        ask = Sent(programs.callers().run)
        with programs.gateway(programs.config(state)) as gateway:
            seen = memory.course(gateway, ask, requests, _say, slices)
            given = programs.given()
        totals = _totals(state)
    found = [f"{seen.bad} bad replies; the first began {seen.first_bad!r}"] if seen.bad else []
    if seen.highest_mb > memory.REQUIRED_MB:
        found.append(f"memory went up to {seen.highest_mb:.0f} MB, and {memory.REQUIRED_MB:.0f} are allowed")
    if seen.slope_mb > FLAT_MB:
        found.append(f"memory grew by {seen.slope_mb:.1f} MB per 10⁵ requests in the second half")
    if totals.requests != ask.requests:
        found.append(f"{ask.requests:,} requests were sent, the ledger has {totals.requests:,}")
    if totals.upstream_calls != given:
        found.append(f"the upstream answered {given:,} calls, the ledger has {totals.upstream_calls:,}")
    print(f"{ask.requests:,} requests, {given:,} calls; slope {seen.slope_mb:+.2f} MB per 10⁵ in the second half")
    return found


def trials(count: int, seed: int) -> list[str]:
    """The trials; what they found, in words."""
    found = []
    for name, trial in fuzz.TRIALS.items():
        chance, ends = random.Random(f"{seed} {name}"), Counter[str]()
        try:
            for portion in range(_PORTIONS):
                ends += fuzz.tried(trial, chance, count // _PORTIONS)
                _show(f"{name}: {(portion + 1) * (count // _PORTIONS):,} of {count:,}")
        except fuzz.FoundError as error:
            found.append(f"{name}: {error}; as a row of tests/fuzz/rows.jsonl: {fuzz.row(name, error.case)}")
        print(f"{name}: " + ", ".join(f"{number:,} {end}" for end, number in ends.most_common()))
    return found


def _say(mark: memory.Mark, result: Result) -> None:
    rate = result.requests / result.seconds
    _show(f"{mark.requests:,} requests, {mark.resident_mb:.0f} MB, {rate:,.0f}/s, {result.bad} bad")


def _show(line: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {line}", flush=True)


def _totals(state: Path) -> Totals:
    ledger = SqliteLedger(state / LEDGER)
    try:
        return ledger.totals(0.0, float("inf"))[""]
    finally:
        ledger.close()


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").split("\n")[0])
    options.add_argument("--requests", type=int, default=1_000_000, help="through one gateway; 0 for none")
    options.add_argument("--trials", type=int, default=1_000_000, help="of each reader; 0 for none")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    chosen = options.parse_args()
    machine.needs_proc()
    print(f"{machine.said()}\nseed {chosen.seed}")
    found = trials(chosen.trials, chosen.seed) if chosen.trials else []
    found += soak(chosen.requests) if chosen.requests else []
    for line in found:
        print(f"WRONG: {line}")
    print("sound" if not found else f"{len(found)} things are wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
