"""What an exact hit costs with 10³, 10⁵ and 10⁶ answers kept: from a worker's memory (L1), and from the file (L2).

The store is filled through its public interface, under keys that the gateway itself would make; then the gateway runs
as people run it. No two requests have the same bytes, so nothing is remembered of a request but its answer.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.load import Job, Result
from benchmarks.programs import Callers, Served, bench
from benchmarks.questions import MODEL, body
from benchmarks.sheet import Cell, Sheet
from benchmarks.upstream import completion
from pennyworth.config import load
from pennyworth.decide import admit
from pennyworth.decide.key import Keyring
from pennyworth.engine.questions import question_of
from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept
from pennyworth.plan import Plan, Target
from pennyworth.request import Caller
from pennyworth.state_dir import open_answers, open_keyring
from pennyworth.view import Control
from pennyworth.wire import chat

SIZES = (1_000, 100_000, 1_000_000)
CALLERS = 32
_SALT = "kept"
_IN_MEMORY = 1_000
"""So many questions are asked again and again where the hits are to come from memory; it holds 20,000."""
_TURN = 10_000
"""Puts that may wait to be written: more do not fit into the store's backlog, which would drop them."""


class Tier(msgspec.Struct, frozen=True):
    """Where the hits come from: how much of memory the gateway gets, and how many questions are asked."""

    name: str
    memory: dict[str, int]
    asked: int | None


TIERS = (Tier("L1, memory", {}, _IN_MEMORY), Tier("L2, file", {"l1_entries": 1}, None))


def run(
    *, sizes: tuple[int, ...] = SIZES, rounds: int = 5, seconds: float = 3.0, tiers: tuple[Tier, ...] = TIERS
) -> Sheet:
    """The bench."""
    machine.needs_proc()
    rows, bad = [], ""
    with bench() as programs:
        asking = programs.callers()
        for size in sizes:
            state = programs.folder / f"state-{size}"
            filling = asyncio.run(fill(load(str(programs.config(state)), {}), size))
            for tier in tiers:
                with programs.gateway(programs.config(state, **tier.memory)) as gateway:
                    figures, first_bad = _measure(gateway, asking, tier, size, rounds, seconds)
                bad = bad or first_bad
                rows.append({"answers kept": size, "from": tier.name, **figures, "fill µs": filling})
            _forget(state)
    return Sheet(
        name="hits",
        title="An exact hit by the number of answers kept: CPU µs of the gateway, medians over rounds",
        method=f"{rounds} rounds of {seconds:g} s, {CALLERS} callers, other bytes in each request; L1: {_IN_MEMORY} "
        "questions in turn, L2: all questions in turn, with room for one answer in memory.",
        rows=rows,
        notes=(
            "Fill: wall clock of a put through the store, until written, in µs. Bad: no hit, or no good reply; a store "
            f"that took longer than cache.slow_after is left alone for a second. {bad and f'The first: {bad!r}'}".rstrip(),
        ),
    )


async def fill(plan: Plan, count: int) -> float:
    """Keeps an answer to each of ``count`` questions; wall-clock µs each."""
    keyring = open_keyring(plan)
    store = open_answers(plan, keyring, lambda part, what: print(f"{part}: {what}"))
    started = time.perf_counter()
    for number, kept in enumerate(answers(plan, keyring, range(count)), 1):
        await store.put(kept)
        if number % _TURN == 0:
            await store.sweep(Control(), 0.0)  # returns when all that was put has been written
    await store.close()
    return (time.perf_counter() - started) / count * 1e6


def answers(plan: Plan, keyring: Keyring, numbers: Iterable[int]) -> Iterator[Kept]:
    """The answers to the questions that ``load`` asks of its pool."""
    target, route = admit.resolve(MODEL, plan), admit.route_for(MODEL, plan)
    assert isinstance(target, Target)
    caller, now_s, raw = Caller(plan.keys[0].scope), time.time(), completion()
    for number in numbers:
        request = chat.read_request(body(f"{_SALT}-{number}"), {}, caller)
        keys = keyring.keys(request, question_of(request, plan.cache), target, route.name, 0)
        assert keys is not None
        answer = Answer(
            id=f"a-{number}",
            form="chat",
            scope=caller.scope,
            model=MODEL,
            target=target.name,
            raw=raw,
            streamed=False,
            usage=Usage(input=120, output=40),
            priced_at_s=now_s,
            created_s=now_s,
            asked_epoch=0,
            kind="static",
            key=keys.exact.hex()[:16],
        )
        yield Kept(key=keys.normal, answer=answer, expires_s=now_s + 86_400)


def _measure(
    gateway: Served, asking: Callers, tier: Tier, size: int, rounds: int, seconds: float
) -> tuple[dict[str, Cell], str]:
    """The figures, and how the first bad reply began."""
    pool = min(size, tier.asked or size)
    job = Job(
        port=gateway.port,
        connections=CALLERS,
        seconds=seconds,
        salt=_SALT,
        repeats=1.0,
        pool=pool,
        traced=True,
        mark="pennyworth; hit",
    )
    asking.run(msgspec.structs.replace(job, seconds=0.0, requests=min(pool, _IN_MEMORY)))  # into memory, where that is
    costs: list[float] = []
    results: list[Result] = []
    for _ in range(rounds):
        skip = sum(result.requests for result in results)
        before = machine.settled(gateway.pid)
        results.append(asking.run(msgspec.structs.replace(job, skip=skip)))
        after = machine.settled(gateway.pid)
        costs.append((after.total_s - before.total_s) * 1e6 / max(1, results[-1].requests))
    figures: dict[str, Cell] = {
        "CPU µs": statistics.median(costs),
        "lowest": min(costs),
        "highest": max(costs),
        "p50 ms": statistics.median(result.p50_ms for result in results),
        "p99 ms": statistics.median(result.p99_ms for result in results),
        "RSS MB": machine.resident_mb(gateway.pid),
        "bad": sum(result.bad for result in results),
    }
    return figures, next((result.first_bad for result in results if result.bad), "")


def _forget(state: Path) -> None:
    """A million answers are two gigabytes."""
    for path in state.glob("answers.db*"):
        path.unlink()
