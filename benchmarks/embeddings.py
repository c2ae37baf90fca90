"""Batches of texts in this process, engine and store included: CPU of each item, and how long one batch holds the loop.

All of it CPU time of this thread, so that neighbours do not count. The provider is a reply made beforehand. Vectors come as the official SDK asks
for them, in base64 of 1,536 numbers.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.sheet import Cell, Sheet
from pennyworth.assemble import Runtime, open_runtime
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.engine.passage import Passage, Reply
from pennyworth.plan import Plan, Provider
from pennyworth.ports import Call
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.testing.scripted import Reply as Scripted
from pennyworth.testing.scripted import ScriptedUpstream, reply
from pennyworth.wire import embeddings

SIZES = (1, 32, 2048)
_MODEL = "text-embedding-3-small"
_FILLER = "lorem ipsum dolor sit amet " * 20
_VECTOR = base64.b64encode(os.urandom(4 * 1536)).decode()


def run(*, sizes: Sequence[int] = SIZES, rounds: int = 5) -> Sheet:
    """The bench."""
    rows = [row for size in sizes for row in uvloop.run(_measure(size, rounds))]
    return Sheet(
        name="embeddings",
        title="Batches of texts of 550 characters, vectors of 1,536 numbers in base64",
        method=f"In process, SQLite store; the least of {rounds} rounds. longest hold: CPU between two turns of another task.",
        rows=rows,
    )


async def _measure(size: int, rounds: int) -> list[dict[str, Cell]]:
    half = max(1, size // 2)
    made = {count: _reply(count) for count in {size, half, 1}}
    with tempfile.TemporaryDirectory() as folder:
        runtime = _open(Path(folder), ScriptedUpstream(then=lambda call: made[_asked(call)]))
        found: dict[str, list[tuple[float, float]]] = {}
        numbers = itertools.count()
        for _ in range(rounds):
            texts = [_text(next(numbers)) for _ in range(size)]
            found.setdefault("miss", []).append(await _once(runtime, texts))
            await asyncio.sleep(0.5)  # the store writes in a thread of its own
            found.setdefault("hit", []).append(await _once(runtime, texts))
            if size > 1:
                new = [_text(next(numbers)) for _ in range(half)]
                found.setdefault("half new", []).append(await _once(runtime, texts[half:] + new))
        await runtime.close()
    return [
        {"items": size, "served": name, "µs an item": min(cpu for cpu, _ in times) / size * 1e6,
         "ms in all": min(cpu for cpu, _ in times) * 1e3, "longest hold, ms": min(hold for _, hold in times) * 1e3}
        for name, times in found.items()
    ]  # fmt: skip


async def _once(runtime: Runtime, texts: list[str]) -> tuple[float, float]:
    """CPU seconds of this thread, and the longest time in which no other task had its turn."""
    body = json.dumps({"model": _MODEL, "input": texts, "encoding_format": "base64"}).encode()
    request = embeddings.read_request(body, {}, Caller("local"))
    watch = asyncio.ensure_future(_longest_hold())
    await asyncio.sleep(0)
    started = time.thread_time()
    begun = runtime.engine.begin(request)
    given = await runtime.engine.proceed(begun) if isinstance(begun, Passage) else begun
    whole = given if isinstance(given, Reply) else await given.reply()
    if not isinstance(given, Reply):
        given.close()
    spent = time.thread_time() - started
    assert whole.status == 200
    watch.cancel()
    return spent, (await asyncio.gather(watch))[0]


async def _longest_hold() -> float:
    longest, last = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


def _open(folder: Path, upstream: ScriptedUpstream) -> Runtime:
    openai = Provider(name="openai", base_url="http://127.0.0.1:1/v1", credential=Secret("k"), price_provider="openai")
    plan = Plan(providers=(openai,), lifetimes=DEFAULT_LIFETIMES, state_dir=str(folder), allow_anonymous=True)
    runtime = open_runtime(plan, lambda part, what: print(part, what), upstream=upstream)
    runtime.start()
    return runtime


def _text(number: int) -> str:
    return f"text {number} {_FILLER}"


def _asked(call: Call) -> int:
    return call.body.count(b"lorem ipsum") // _FILLER.count("lorem ipsum")


def _reply(count: int) -> Scripted:
    item = '{"object":"embedding","index":%d,"embedding":"%s"}'
    data = ",".join([item % (place, _VECTOR) for place in range(count)])
    usage = f'{{"prompt_tokens":{100 * count},"total_tokens":{100 * count}}}'
    return reply(json=f'{{"object":"list","data":[{data}],"model":"{_MODEL}","usage":{usage}}}'.encode())
