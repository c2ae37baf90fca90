"""What a get and a put cost, and what an entry takes, in memory and in SQLite, as the store grows.

    .venv/bin/python -m benchmarks.store [--million]

Answers of about 900 bytes, keys drawn at random over the whole store. Costs are CPU µs, which a loaded machine changes
less than time; "wall p99" is time. "+ written" adds the writer thread's work, in full batches, which no request waits
for. ``--million`` adds 10^6 entries. The last table is the writing by itself: answers put under one and two keys, as the
gateway does, alone and beside a thread that keeps the interpreter busy.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.beside import Serving, cpu_alone
from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept
from pennyworth.ports import Store
from pennyworth.request import Key
from pennyworth.server.process import spare_the_collector
from pennyworth.stores.aes import AesCover
from pennyworth.stores.cover import Marks
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.view import Control

NOW_S = 1_795_348_800.0
GETS = 20_000
CHUNK = 20_000
TURN, TURNS = 1_000, 10


class Figures(NamedTuple):
    put: float
    written: float
    hit: float
    wall_p99: float
    miss: float
    bytes: float


def entry(number: int, chance: random.Random) -> Kept:
    answer = Answer(
        id=f"a-{int(NOW_S * 1000) + number:x}-3f2a-{number}",
        form="chat",
        scope=f"team-{number % 7}",
        model=f"model-{number % 5}",
        target="provider/model",
        raw=chance.randbytes(900),
        streamed=False,
        usage=Usage(input=100, output=200),
        priced_at_s=NOW_S,
        created_s=NOW_S + number / 1000,
        asked_epoch=number // 1000,
        kind="other",
        key=f"{chance.getrandbits(64):016x}",
    )
    return Kept(key=Key(chance.randbytes(32)), answer=answer, expires_s=NOW_S + 3600 + number)


async def cpu_of_gets(store: Store, keys: list[Key], found: bool) -> float:
    """CPU µs a get on the calling thread, in the best of ten portions."""
    spent = []
    for start in range(0, len(keys), len(keys) // 10):
        portion = keys[start : start + len(keys) // 10]
        started = time.thread_time()
        got = [await store.get(key, NOW_S) is not None for key in portion]
        spent.append((time.thread_time() - started) / len(portion) * 1e6)
        assert got == [found] * len(portion)
    return min(spent)


async def wall_p99(store: Store, keys: list[Key]) -> float:
    took = []
    for key in keys:
        started = time.perf_counter_ns()
        await store.get(key, NOW_S)
        took.append(time.perf_counter_ns() - started)
    return statistics.quantiles(took, n=100)[98] / 1000


async def fill(store: Store, count: int, chance: random.Random) -> tuple[list[Key], float, float]:
    """The keys, CPU µs a put on the calling thread, and on all threads until it was written."""
    keys: list[Key] = []
    put_s = written_s = 0.0
    for start in range(0, count, CHUNK):
        entries = [entry(number, chance) for number in range(start, min(count, start + CHUNK))]
        started, all_started = time.thread_time(), time.process_time()
        for kept in entries:
            await store.put(kept)
        put_s += time.thread_time() - started
        await store.sweep(Control(), 0.0)
        written_s += time.process_time() - all_started
        keys += [kept.key for kept in entries]
    return keys, put_s / count * 1e6, written_s / count * 1e6


async def measure(store: Store, count: int, chance: random.Random, taken: float) -> Figures:
    keys, put, written = await fill(store, count, chance)
    asked = chance.choices(keys, k=GETS)
    slowest = await wall_p99(store, asked)
    hit = await cpu_of_gets(store, asked, found=True)
    miss = await cpu_of_gets(store, [Key(chance.randbytes(32)) for _ in range(GETS)], found=False)
    return Figures(put, written, hit, slowest, miss, taken)


def resident() -> int:
    """Bytes of memory this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def in_memory(count: int, folder: Path) -> Figures:
    before = resident()
    store = MemoryStore(count + 1, 10**12)
    figures = await measure(store, count, random.Random(1), 0.0)
    return figures._replace(bytes=(resident() - before) / count)


async def in_sqlite(count: int, folder: Path) -> Figures:
    path = folder / f"{count}.db"
    store = SqliteStore(path, b"secret", count + 1, 10**12, backlog_bytes=10**9)
    figures = await measure(store, count, random.Random(1), 0.0)
    await store.close()
    return figures._replace(bytes=path.stat().st_size / count)


async def in_encrypted(count: int, folder: Path) -> Figures:
    """As ``in_sqlite``, with ``cache.encrypt``: seven scopes, a key for each."""
    path = folder / f"{count}-encrypted.db"
    cover = AesCover(b"secret", Marks(b"secret"))
    store = SqliteStore(path, b"secret", count + 1, 10**12, cover=cover, backlog_bytes=10**9)
    figures = await measure(store, count, random.Random(1), 0.0)
    await store.close()
    return figures._replace(bytes=path.stat().st_size / count)


async def in_both(count: int, folder: Path) -> Figures:
    """Everything in the file, a tenth in memory: what a process that has just started sees is mostly the file."""
    path = folder / f"{count}-both.db"
    deep = SqliteStore(path, b"secret", count + 1, 10**12, backlog_bytes=10**9)
    store = TieredStore(MemoryStore(count // 10, 10**12), deep, slow_s=1.0)
    figures = await measure(store, count, random.Random(1), 0.0)
    await store.close()
    return figures._replace(bytes=path.stat().st_size / count)


def written(keys: int, most: int, cost: Callable[[Callable[[], object]], float], folder: Path) -> float:
    """CPU µs an answer, put under so many keys and written, in turns of a thousand."""
    store = SqliteStore(folder / f"{keys}-{most}-{time.time_ns()}.db", b"secret", most, 10**12, backlog_bytes=10**9)
    chance = random.Random(2)
    spent = 0.0
    for start in range(0, TURNS * TURN, TURN):
        answers = [entry(number, chance) for number in range(start, start + TURN)]
        puts = [msgspec.structs.replace(put, key=Key(chance.randbytes(32))) for put in answers for _ in range(keys)]
        spent += cost(partial(asyncio.run, put_and_settle(store, puts)))
    asyncio.run(store.close())
    return spent / (TURNS * TURN) * 1e6


async def put_and_settle(store: Store, puts: list[Kept]) -> None:
    for kept in puts:
        await store.put(kept)
    await store.sweep(Control(), 0.0)


def writing(folder: Path) -> Table:
    table = Table("keys an answer", "store", title="Writing an answer: CPU µs, median of 3 [least .. most]")
    serving = Serving()
    ways = {"alone": cpu_alone, "busy main": serving.cpu_beside}
    for way in ways:
        table.add_column(way, justify="right")
    for keys, name, most in ((1, "roomy", 10**7), (2, "roomy", 10**7), (2, "full", 2 * TURN)):
        cells = []
        for cost in ways.values():
            spent = [written(keys, most, cost, folder) for _ in range(3)]
            cells.append(f"{statistics.median(spent):.1f} [{min(spent):.1f} .. {max(spent):.1f}]")
        table.add_row(str(keys), name, *cells)
    serving.close()
    return table


def main() -> None:
    spare_the_collector()
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--million", action="store_true", help="SQLite with 10^6 entries too: minutes, 2 GB of disk")
    million = options.parse_args().million
    console = Console()
    table = Table(
        "store",
        "entries",
        title=f"CPU µs. {platform.machine()}, {os.cpu_count()} CPUs, SQLite {sqlite3.sqlite_version}",
    )
    for column in ("put", "+ written", "hit", "wall p99", "miss", "bytes an entry"):
        table.add_column(column, justify="right")
    plans = [(in_memory, 1_000), (in_memory, 100_000), (in_sqlite, 1_000), (in_sqlite, 100_000), (in_both, 100_000)]
    plans += [(in_encrypted, 1_000), (in_encrypted, 100_000)]
    plans += [(in_sqlite, 1_000_000)] if million else []
    with tempfile.TemporaryDirectory() as folder:
        for measure_one, count in plans:
            figures = asyncio.run(measure_one(count, Path(folder)))
            numbers = [f"{figure:.1f}" for figure in figures[:-1]]
            table.add_row(measure_one.__name__.removeprefix("in_"), f"{count:,}", *numbers, f"{figures.bytes:,.0f}")
        console.print(table)
        console.print(writing(Path(folder)))
    sizes = msgspec.msgpack.encode(entry(0, random.Random(1)))
    console.print(f"An entry encoded by itself: {len(sizes):,} bytes.")


if __name__ == "__main__":
    main()
