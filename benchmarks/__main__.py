"""``python -m benchmarks [NAME …] [--quick] [--json]``: what Pennyworth costs, a table per bench.

Every table says how it was made; the head says on what machine, and how busy it was. Compare CPU µs and ratios within
one run: times and rates move with the neighbours.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from rich.console import Console

from benchmarks import (
    budgets,
    dialects,
    doors,
    embeddings,
    gateway,
    hits,
    keys,
    machine,
    memory,
    outage,
    overload,
    streams,
)
from benchmarks.sheet import Sheet

_HERE = Path(__file__).parents[1]
_WIDTH = 240
"""Of a table, where the output is no terminal."""


class Measured(msgspec.Struct, frozen=True):
    """A bench that gives its table as values."""

    about: str
    whole: Callable[[], Sheet]
    quick: Callable[[], Sheet]


class Printed(msgspec.Struct, frozen=True):
    """A bench that is a program of its own and prints what it found. ``quick``: its arguments for a short run."""

    about: str
    whole: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHES: Mapping[str, Measured | Printed] = MappingProxyType(
    {
        "gateway": Measured(
            "a request at the gateway, beside the floor: hits, pass-through, streams",
            gateway.run,
            lambda: gateway.run(rounds=1, seconds=0.5),
        ),
        "dialects": Measured(
            "a request at the gateway in every dialect, and from one into another",
            dialects.run,
            lambda: dialects.run(rounds=1, seconds=0.5),
        ),
        "hits": Measured(
            "an exact hit with 10³, 10⁵ and 10⁶ answers kept",
            hits.run,
            lambda: hits.run(sizes=(1_000, 10_000), rounds=1, seconds=0.5),
        ),
        "keys": Measured(
            "what a key, its models and its end users add to a hit",
            keys.run,
            lambda: keys.run(rounds=3, hits=50),
        ),
        "budgets": Measured(
            "what keys with budgets and rates add to a request",
            budgets.run,
            lambda: budgets.run(rounds=1, seconds=0.5),
        ),
        "memory": Measured("memory of the gateway over 10⁵ requests", memory.run, lambda: memory.run(requests=5_000)),
        "doors": Measured("an exact hit in process, without a server", doors.run, lambda: doors.run(rounds=1, hits=50)),
        "embeddings": Measured(
            "batches of texts: live, kept and put together",
            embeddings.run,
            lambda: embeddings.run(sizes=(1, 200), rounds=1),
        ),
        "streams": Measured(
            "10,000 open streams: memory each, and the admin port meanwhile",
            streams.run,
            lambda: streams.run(counts=(200,), seconds=2.0),
        ),
        "overload": Measured(
            "five times the capacity: who is served, who is sent away", overload.run, lambda: overload.run(seconds=2.0)
        ),
        "outage": Measured(
            "a provider down, silent, hanging up or flapping",
            outage.run,
            lambda: outage.run(seconds=3.0, moods=("down",)),
        ),
        "wire": Printed("reading requests, making keys, recording and replaying replies"),
        "store": Printed("the stores of kept answers by themselves", whole=("--million",)),
        "ledger": Printed("the journal and the ledger by themselves", quick=("--receipts", "5000")),
        "eviction": Printed("eviction policies on real popularity", quick=("--requests", "10000")),
    }
)


def main() -> int:
    chosen = _options().parse_args()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if not chosen.json:
        console.print(machine.said(), highlight=False)
    found = {name: _run(BENCHES[name], name, chosen.quick, chosen.json, console) for name in chosen.names or BENCHES}
    if chosen.json:
        print(msgspec.json.format(msgspec.json.encode({"machine": machine.said(), "benches": found})).decode())
    else:
        console.print(f"\nat the end: {machine.said()}", highlight=False)
    return 0


def _run(bench: Measured | Printed, name: str, quick: bool, as_json: bool, console: Console) -> Any:
    """What goes into the JSON: the table, or the lines that were printed."""
    match bench:
        case Measured():
            sheet = bench.quick() if quick else bench.whole()
            if not as_json:
                sheet.print(console)
            return sheet
        case Printed():
            console.quiet = as_json
            console.print(f"\n[bold]{name}: {bench.about}[/bold]", highlight=False)
            command = [sys.executable, "-m", f"benchmarks.{name}", *(bench.quick if quick else bench.whole)]
            done = subprocess.run(
                command, cwd=_HERE, check=True, text=True, stdout=subprocess.PIPE if as_json else None
            )
            return done.stdout.splitlines() if as_json else None


def _options() -> argparse.ArgumentParser:
    about = "\n".join(f"  {name:10}{bench.about}" for name, bench in BENCHES.items())
    options = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What Pennyworth costs, a table per bench.",
        epilog=f"benches (all, where none is named; about half an hour):\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("names", nargs="*", metavar="NAME", type=_named, help="which benches")
    options.add_argument(
        "--quick", action="store_true", help="seconds, not minutes: whether it works, not what it costs"
    )
    options.add_argument("--json", action="store_true", help="JSON, for programs")
    return options


def _named(name: str) -> str:
    if name not in BENCHES:
        raise argparse.ArgumentTypeError(f"{name!r} is no bench; there are {', '.join(BENCHES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
