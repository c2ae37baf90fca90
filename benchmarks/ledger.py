"""What the books cost: appending to the journal, folding it, and asking for totals.

    .venv/bin/python -m benchmarks.ledger [--receipts 1000000] [--folder DIR]

Appending is timed in rounds (median, and the quickest and slowest round); folding goes the whole way from journal
files to the ledger; totals are asked over 30 days of receipts of 5 scopes, 4 models, half of them hits. "In passes" is
how a worker folds while it serves: what a moment brought, alone and beside a thread that keeps the interpreter busy.
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

from benchmarks.beside import Serving, cpu_alone
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.lines import to_line
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Intent, Latency, Receipt
from pennyworth.server.process import spare_the_collector

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
            id=f"r-{int((START_S + SPAN_S * i / count) * 1000):x}-3f2a-{i}",
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


def bench_passes(folder: Path, receipts_a_pass: int = 2_000, passes: int = 10) -> None:
    """Folding what is appended meanwhile, a pass at a time, as a worker's thread does."""
    serving = Serving()
    ways: dict[str, Callable[[Callable[[], object]], float]] = {"alone": cpu_alone, "busy main": serving.cpu_beside}
    for name, whole in (("hits", False), ("intent + receipt", True)):
        for way, cost in ways.items():
            spent = [
                one_round(folder / f"{whole}-{way}-{number}", whole, cost, receipts_a_pass, passes)
                for number in range(3)
            ]
            spread = f"[{min(spent):.1f} .. {max(spent):.1f}]"
            print(f"fold {name:<17} {way:<10} {statistics.median(spent):6.1f} µs CPU each {spread}")
    serving.close()


def one_round(
    folder: Path, intents: bool, cost: Callable[[Callable[[], object]], float], receipts_a_pass: int, passes: int
) -> float:
    """CPU µs a receipt, the closing of the ledger not counted."""
    journal, ledger = FileJournal(folder / "journal", "w0"), SqliteLedger(folder / "ledger.sqlite")
    folding = JournalFolder(folder / "journal", ledger, worker="w0", on_trouble=print)
    chosen = [one for one in receipts(2 * receipts_a_pass * passes) if (one.served == "upstream") == intents]
    spent = 0.0
    for start in range(0, len(chosen), receipts_a_pass):
        for receipt in chosen[start : start + receipts_a_pass]:
            if intents:
                journal.append(intent_of(receipt))
            journal.append(receipt)
        spent += cost(folding.fold_own)
    journal.close()
    folding.close()
    ledger.close()
    return spent / len(chosen) * 1e6


def intent_of(receipt: Receipt) -> Intent:
    return Intent(
        id=receipt.id,
        at_s=receipt.at_s,
        scope=receipt.scope,
        model=receipt.model,
        target=receipt.target,
        estimate=receipt.spent,
    )


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
        spare_the_collector()
        bench_append(folder)
        bench_passes(folder)
        ledger = bench_fold(folder, chosen.receipts)
        bench_totals(ledger)
        bench_lists(ledger)
        ledger.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
