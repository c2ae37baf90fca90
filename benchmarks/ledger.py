"""What the books cost: appending to the journal, folding it, and asking for totals.

    .venv/bin/python benchmarks/ledger.py [--receipts 1000000] [--folder DIR]

Appending is timed in rounds (median, and the quickest and slowest round); folding goes the whole way from journal
files to the ledger; totals are asked over 30 days of receipts of 5 scopes, 4 models, half of them hits.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.lines import to_line
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Latency, Receipt

START_S = 1_795_348_800.0 - 30 * 86_400
SPAN_S = 30 * 86_400.0
DAY_S = 86_400.0


def receipts(count: int) -> Iterator[Receipt]:
    usage = Usage(input=120, output=80)
    for i in range(count):
        pico = 66_000_000 + i
        model = f"model-{i % 4}"
        note = AttemptNote(
            target=f"openai/{model}",
            status=200,
            ending="complete",
            served_by=f"{model}-2026-07-18",
            usage=usage,
            spent=Money(pico),
            basis="metered",
            first_byte_ms=210.1,
            total_ms=900.2,
            provider_request_id="req_0123456789",
        )
        is_hit = i % 2 == 0
        yield Receipt(
            id=f"{i:032x}",
            at_s=START_S + SPAN_S * i / count,
            worker="w0",
            scope=f"team-{i % 5}",
            model=model,
            route="default",
            served="exact" if is_hit else "upstream",
            ending="complete",
            status=200,
            reason="exact hit" if is_hit else "miss: first asked",
            target=f"openai/{model}",
            attempts=() if is_hit else (note,),
            usage=usage,
            spent=Money(0 if is_hit else pico),
            basis="none" if is_hit else "metered",
            would_have_cost=Money(pico),
            would_basis="metered",
            saved={"exact": Money(pico)} if is_hit else {},
            kind="static",
            key="0123456789abcdef",
            end_user="ab" * 8,
            latency=Latency(total_ms=900.0, decide_ms=0.1),
            price_source="genai-prices 2026-11-01",
            plan="deadbeef",
        )


def rounds_us(work: Callable[[], None], calls: int, rounds: int = 15) -> str:
    """Median, and [quickest .. slowest], microseconds a call."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        taken.append((time.perf_counter() - began) / calls * 1e6)
    return f"{statistics.median(taken):7.2f} µs   [{min(taken):.2f} .. {max(taken):.2f}]"


def bench_append(folder: Path) -> None:
    journal = FileJournal(folder, "bench")
    fd = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    hit, miss = receipts(2)
    for name, receipt in (("hit", hit), ("miss", miss)):
        line = to_line(receipt)
        print(f"append {name:<5} ({len(line)} bytes)      {rounds_us(lambda r=receipt: journal.append(r), 2000)}")
        print(f"  of it encode               {rounds_us(lambda r=receipt: to_line(r), 2000)}")
        print(f"  of it os.write             {rounds_us(lambda text=line: os.write(fd, text), 2000)}")
    os.close(fd)
    journal.close()


def bench_fold(folder: Path, count: int) -> SqliteLedger:
    journal = FileJournal(folder / "journal", "w0")
    for receipt in receipts(count):
        journal.append(receipt)
    journal.close()
    ledger = SqliteLedger(folder / "ledger.sqlite")
    began, cpu = time.perf_counter(), time.process_time()
    JournalFolder(folder / "journal", ledger, on_trouble=print).flush()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    size = (folder / "ledger.sqlite").stat().st_size / count
    print(
        f"fold {count:,} receipts     {count / wall:9,.0f} /s   ({cpu / count * 1e6:.1f} µs CPU, {size:.0f} bytes each)"
    )
    return ledger


def bench_totals(ledger: SqliteLedger) -> None:
    end_s = START_S + SPAN_S
    windows = {"30 days": (START_S, end_s), "24 h, cut at both ends": (end_s - 2 * DAY_S - 1800, end_s - DAY_S - 1800)}
    for name, (since_s, until_s) in windows.items():
        for by in ("", "model", "scope", "day", "hour"):
            taken = []
            for _ in range(5):
                began = time.perf_counter()
                ledger.totals(since_s, until_s, by)  # type: ignore[arg-type]
                taken.append((time.perf_counter() - began) * 1e3)
            label = f"totals {name}" + (f" by {by}" if by else "")
            print(f"{label:<40} {statistics.median(taken):7.1f} ms   [{min(taken):.1f} .. {max(taken):.1f}]")


def bench_lists(ledger: SqliteLedger) -> None:
    for label, where in (
        ("all", {}),
        ("of one scope", {"scope": "team-3"}),
        ("of an ending nobody had", {"ending": "cut"}),
    ):
        began = time.perf_counter()
        ledger.receipts(100, where=where)
        print(f"newest 100 receipts {label:<25} {(time.perf_counter() - began) * 1e3:7.1f} ms")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--receipts", type=int, default=200_000)
    options.add_argument("--folder", help="where to write; a directory on the disk to be measured")
    chosen = options.parse_args()
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        bench_append(folder)
        ledger = bench_fold(folder, chosen.receipts)
        bench_totals(ledger)
        bench_lists(ledger)
        ledger.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


main()
