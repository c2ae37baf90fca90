"""What takes longer than a test may: a million requests through one gateway, a million simulated ones, ten million
trials of what reads bytes, every recorded stream cut at every byte, ten thousand callers who leave.

    .venv/bin/python -m benchmarks.soak [requests] [simulated] [fuzz] [cuts] [leavers]
        [--requests N] [--simulated N] [--trials N] [--seed N]

It ends with 0 only if every reply was good, memory stayed flat and within its limit, the books hold every request and
exactly the calls that the upstream counted, no simulated request broke a law, no trial found anything, no part of a stream passed for the whole, and who left
left nothing behind.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import fuzz, machine, memory, soak_faults
from benchmarks.load import Job, Result
from benchmarks.programs import bench
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Totals
from pennyworth.simulation.run import Tally, run, told
from pennyworth.state_dir import LEDGER

FLAT_MB = 2.0
"""Megabytes per 10⁵ requests that count as flat: what the allocator may still spread after L1 has filled."""

PARTS = ("fuzz", "cuts", "leavers", "simulated", "requests")

_PORTIONS = 4
_SLOW = {"configuration": 100, "SSE recorder": 4}
"""So many times fewer trials of these: each takes milliseconds, or a good part of one."""


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


def trials(in_all: int, seed: int) -> list[str]:
    """The trials; what they found, in words."""
    found = []
    part = in_all / sum(1 / _SLOW.get(name, 1) for name in fuzz.TRIALS)
    for name, trial in fuzz.TRIALS.items():
        count = int(part / _SLOW.get(name, 1)) + 1
        chance, ends = random.Random(f"{seed} {name}"), Counter[str]()
        try:
            for portion in range(_PORTIONS):
                ends += fuzz.tried(trial, chance, count // _PORTIONS)
                _show(f"{name}: {(portion + 1) * (count // _PORTIONS):,} of {count:,}")
        except fuzz.FoundError as error:
            found.append(f"{name}: {error}; as a row of tests/fuzz/rows.jsonl: {fuzz.row(name, error.case)}")
        print(f"{name}: " + ", ".join(f"{number:,} {end}" for end, number in ends.most_common()))
    return found


def simulated(requests: int, seed: str, processes: int = 2) -> list[str]:
    """The requests in simulated worlds; which episodes broke a law, and how to see them again."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        shares = [pool.submit(_played, f"{seed}-{share}", requests // processes) for share in range(processes)]
        tallies = [share.result() for share in shares]
    served = sum((tally.served for tally in tallies), Counter[str]())
    asked, calls, deaths = (sum(getattr(each, name) for each in tallies) for name in ("requests", "calls", "crashes"))
    print(f"simulated: {asked:,} requests, {calls:,} calls, {deaths:,} deaths of the gateway; {served.most_common(8)}")
    return [told(episode) for tally in tallies for episode in tally.failed]


def _played(seed: str, requests: int) -> Tally:
    return run(seed, requests, on_episode=lambda episode: _show(told(episode)) if episode.broken else None)


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
    chosen = _options().parse_args()
    machine.needs_proc()
    print(f"{machine.said()}\nseed {chosen.seed}")
    does = {
        "fuzz": lambda: trials(chosen.trials, chosen.seed),
        "cuts": lambda: soak_faults.cuts(_show),
        "leavers": lambda: soak_faults.leavers(chosen.leavers, _show),
        "simulated": lambda: simulated(chosen.simulated, str(chosen.seed)),
        "requests": lambda: soak(chosen.requests),
    }
    found = [line for part in chosen.parts or PARTS for line in does[part]()]
    for line in found:
        print(f"WRONG: {line}")
    print("sound" if not found else f"{len(found)} things are wrong")
    return 1 if found else 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").split("\n")[0])
    options.add_argument("parts", nargs="*", metavar="PART", type=_part, help=f"of {', '.join(PARTS)}; all, if none")
    options.add_argument("--requests", type=int, default=1_000_000, help="through one gateway")
    options.add_argument("--simulated", type=int, default=1_000_000, help="requests in simulated worlds")
    options.add_argument("--trials", type=int, default=10_000_000, help="of all readers together")
    options.add_argument("--leavers", type=int, default=10_000, help="callers who leave")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    return options


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is no part; there are {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
