"""Which eviction policy for answers kept in memory: hit ratio and cost per request on streams of real popularity.

    .venv/bin/python benchmarks/eviction.py [--data FOLDER] [--requests N]

The popularity laws come from the evaluation data (counts of real web searches; Banking77 questions under a Zipf law).
Without that folder it says so and uses a synthetic Zipf law. Streams are drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import cachebox
from rich.console import Console
from rich.table import Table

from pennyworth.stores.s3fifo import S3Fifo

SEED = 20261122
SHARES = (0.01, 0.05, 0.20)
"""Sizes of the cache, as shares of the distinct questions of a stream."""


class Cache(Protocol):
    """The two calls a policy is judged by. ``put`` follows a ``get`` that found nothing."""

    def get(self, key: bytes) -> object | None: ...

    def put(self, key: bytes) -> object: ...


class Boxed:
    """A policy of cachebox."""

    def __init__(self, box: cachebox.BaseCacheImpl[bytes, bytes]) -> None:
        self.get = box.get
        self._insert = box.insert

    def put(self, key: bytes) -> object:
        return self._insert(key, key)


class Bounded:
    """Our S3-FIFO with a limit of entries, as the memory store drives it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: S3Fifo[bytes, bytes] = S3Fifo()
        self.get = self._queue.get

    def put(self, key: bytes) -> object:
        self._queue.put(key, key)
        return self._queue.evict() if len(self._queue) > self._size else None


class SecondChance:
    """First in, first out, but what was read since its last turn goes round once more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._read: dict[bytes, bool] = {}
        self._order: deque[bytes] = deque()

    def get(self, key: bytes) -> object | None:
        if key not in self._read:
            return None
        self._read[key] = True
        return key

    def put(self, key: bytes) -> object:
        self._read[key] = False
        self._order.append(key)
        while len(self._read) > self._size:
            oldest = self._order.popleft()
            if self._read[oldest]:
                self._read[oldest] = False
                self._order.append(oldest)
            else:
                del self._read[oldest]
        return None


class Probation(SecondChance):
    """Second chance in two queues, as the SQLite store does it: newcomers have a tenth of the room, and nothing
    remembers what was evicted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._new: deque[bytes] = deque()

    def put(self, key: bytes) -> object:
        self._read[key] = False
        self._new.append(key)
        while len(self._read) > self._size:
            from_new = bool(self._new) and (not self._order or len(self._new) > self._size / 10)
            oldest = (self._new if from_new else self._order).popleft()
            if self._read[oldest]:
                self._read[oldest] = False
                self._order.append(oldest)
            else:
                del self._read[oldest]
        return None


POLICIES: dict[str, Callable[[int], Cache]] = {
    "cachebox FIFO": lambda size: Boxed(cachebox.FIFOCache(size)),
    "cachebox RR": lambda size: Boxed(cachebox.RRCache(size)),
    "cachebox LRU": lambda size: Boxed(cachebox.LRUCache(size)),
    "cachebox LFU": lambda size: Boxed(cachebox.LFUCache(size)),
    "cachebox TTL": lambda size: Boxed(cachebox.TTLCache(size, global_ttl=3600)),
    "second chance": SecondChance,
    "two queues": Probation,
    "S3-FIFO": Bounded,
}


def drawn(weights: list[float], requests: int, chance: random.Random) -> list[bytes]:
    """Independent draws: each question comes as often as its weight says, in no order."""
    names = [chance.randbytes(32) for _ in weights]
    return chance.choices(names, cum_weights=list(accumulate(weights)), k=requests)


def zipf(distinct: int, exponent: float = 1.0) -> list[float]:
    return [1 / rank**exponent for rank in range(1, distinct + 1)]


def drifting(weights: list[float], requests: int, chance: random.Random) -> list[bytes]:
    """What is popular changes: ten times in the stream, a fifth of the questions trade places."""
    names = [chance.randbytes(32) for _ in weights]
    sums, stream = list(accumulate(weights)), []
    for _ in range(10):
        stream += chance.choices(names, cum_weights=sums, k=requests // 10)
        moving = chance.sample(range(len(names)), len(names) // 5)
        moved = [names[place] for place in moving]
        chance.shuffle(moved)
        for place, name in zip(moving, moved, strict=True):
            names[place] = name
    return stream


def bursty(stream: list[bytes], chance: random.Random) -> list[bytes]:
    """What was asked just now is asked again: three requests in ten repeat one of the last two hundred."""
    said: list[bytes] = []
    for key in stream:
        again = said and chance.random() < 0.3
        said.append(chance.choice(said[-200:]) if again else key)
    return said


def interrupted(stream: list[bytes], chance: random.Random) -> list[bytes]:
    """A batch job asks a long run of questions nobody asks again, five times; in all a fifth of the traffic."""
    run = len(stream) // 20
    pieces = [stream[start : start + len(stream) // 5] for start in range(0, len(stream), len(stream) // 5)]
    return [key for piece in pieces for key in (*piece, *(chance.randbytes(32) for _ in range(run)))]


def search_counts(data: Path) -> list[float]:
    """How often each distinct query of the search log was asked (all 167,005 of them, from the histogram)."""
    histogram = json.loads((data / "log_sogou_freq" / "count_histogram.json").read_text())
    return [float(count) for count, queries in histogram.items() for _ in range(queries)]


def bank_questions(data: Path) -> int:
    with gzip.open(data / "sem_banking77" / "queries.jsonl.gz", "rt") as lines:
        return len({json.loads(line)["text"] for line in lines})


def streams(data: Path, requests: int, console: Console) -> Iterator[tuple[str, list[bytes]]]:
    chance = random.Random(SEED)
    try:
        searches, questions = search_counts(data), bank_questions(data)
    except OSError:
        console.print(f"No evaluation data in {data}: synthetic Zipf law instead, 50,000 questions.")
        yield "synthetic Zipf 1.0", drawn(zipf(50_000), requests, chance)
        yield "synthetic Zipf 1.0, drifting", drifting(zipf(50_000), requests, chance)
        return
    yield "web searches", drawn(searches, requests, chance)
    yield "web searches, batch jobs between", interrupted(drawn(searches, requests, chance), chance)
    yield "Banking77, Zipf 1.0", drawn(zipf(questions), requests, chance)
    yield "Banking77, Zipf 0.7", drawn(zipf(questions, 0.7), requests, chance)
    yield "Banking77, Zipf 1.0, in bursts", bursty(drawn(zipf(questions), requests, chance), chance)
    yield "Banking77, Zipf 1.0, drifting", drifting(zipf(questions), requests, chance)


def hit_ratio(cache: Cache, stream: list[bytes]) -> tuple[float, float]:
    """Share of hits, and µs per request with the put of a miss in it."""
    hits, started = 0, time.perf_counter()
    for key in stream:
        if cache.get(key) is None:
            cache.put(key)
        else:
            hits += 1
    return hits / len(stream), (time.perf_counter() - started) / len(stream) * 1e6


def hit_cost(make: Callable[[int], Cache]) -> float:
    """µs of a look-up that finds something, best of five, in a cache of 10,000."""
    keys = [index.to_bytes(32, "big") for index in range(10_000)]
    cache = make(len(keys))
    for key in keys:
        cache.put(key)
    get, best = cache.get, float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for key in keys:
            get(key)
        best = min(best, time.perf_counter() - started)
    return best / len(keys) * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options.add_argument("--requests", type=int, default=200_000)
    chosen = options.parse_args()
    console = Console()
    sums: dict[str, list[float]] = {name: [] for name in POLICIES}
    for title, stream in streams(chosen.data, chosen.requests, console):
        distinct = len(set(stream))
        table = Table(
            title=f"{title}: {len(stream):,} requests, {distinct:,} distinct, best {1 - distinct / len(stream):.3f}"
        )
        table.add_column("policy")
        for share in SHARES:
            table.add_column(f"hits at {share:.0%}", justify="right")
        table.add_column("µs a request", justify="right")
        for name, make in POLICIES.items():
            results = [hit_ratio(make(max(10, int(distinct * share))), stream) for share in SHARES]
            sums[name] += [hits for hits, _ in results]
            table.add_row(name, *(f"{hits:.3f}" for hits, _ in results), f"{min(cost for _, cost in results):.2f}")
        console.print(table)
    table = Table("policy", "mean hit ratio", "µs a hit", title="Over all streams and sizes")
    for name, make in POLICIES.items():
        table.add_row(name, f"{sum(sums[name]) / len(sums[name]):.3f}", f"{hit_cost(make):.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
