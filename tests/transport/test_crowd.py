"""A crowd of threads and coroutines in one engine, with purges meanwhile: every answer right, every receipt once."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from pennyworth import Pennyworth
from pennyworth.decide import invalidate
from pennyworth.ledgers.balance import balances
from pennyworth.sandbox import SandboxServer, Settings, check_answer
from tests.door.running import KEY, plan_for
from tests.transport.doors import receipts_of

THREADS, ASKS, QUESTIONS = 8, 120, 9
_ROUNDED_S = 0.002
"""Ages on receipts are rounded to a millisecond."""


class Heard(NamedTuple):
    """``purged_s``: when the last purge was over that was known to be before the question was asked."""

    receipt: str
    purged_s: float
    wrong: str | None


class Purges:
    """One after the other, until ``over``."""

    def __init__(self, pw: Pennyworth) -> None:
        self._house = pw._at_home()
        self.last_s = 0.0
        self.made = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.015):
            self._house.loop.take(self._purge)
            self.made += 1

    def _purge(self) -> None:
        state = self._house.runtime.state
        self._house.runtime.engine.keeper.change(lambda row: invalidate.purge(row, "all", "", state.clock.wall_s()))
        self.last_s = state.clock.wall_s()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=11)) as server:
        yield server


def body(number: int, stream: bool) -> dict[str, Any]:
    question = {"role": "user", "content": f"What does rule {number} of the house say?"}
    return {"model": "gpt-4o-mini", "messages": [question], **({"stream": True} if stream else {})}


def heard(reply: httpx2.Response, content: bytes, asked: dict[str, Any], purged_s: float) -> Heard:
    assert reply.status_code == 200, content
    text = _streamed(content) if asked.get("stream") else json.loads(content)["choices"][0]["message"]["content"]
    return Heard(reply.headers["x-pennyworth-receipt"], purged_s, check_answer(text, asked, KEY))


def _streamed(content: bytes) -> str:
    events = [json.loads(line[6:]) for line in content.decode().split("\n\n") if line.startswith("data: {")]
    return "".join(c["delta"].get("content") or "" for event in events for c in event["choices"])


def test_every_answer_is_right_and_every_receipt_is_there_once(sandbox: SandboxServer, tmp_path: Path):
    plan = plan_for(sandbox.base_url, state_dir=str(tmp_path / "state"))
    with Pennyworth(plan) as pw:
        found, purges = crowd(pw)
        receipts = {receipt.id: receipt for receipt in receipts_of(pw)}
        stats = pw.stats()
    asked = THREADS * ASKS * 2
    assert [one.wrong for one in found if one.wrong] == []
    assert len(found) == len({one.receipt for one in found}) == asked
    assert {one.receipt for one in found} == set(receipts)
    assert all(balances(receipt) for receipt in receipts.values())
    for one in found:
        receipt = receipts[one.receipt]
        if receipt.served in ("exact", "normalised"):
            made_s = receipt.at_s - receipt.age_s
            assert made_s + _ROUNDED_S >= one.purged_s, "an answer was given that had been purged"
    hits = sum(receipt.served == "exact" for receipt in receipts.values())
    assert hits > 0
    assert purges.made > 0
    for books in (stats["ledger"], stats["process"]):
        assert books["requests"] == asked
        assert books["spent"]["pico"] == sum(receipt.spent.pico for receipt in receipts.values())
        assert books["would_have_cost"]["pico"] == sum(r.would_have_cost.pico for r in receipts.values())
        assert books["hits"]["exact"] == hits
    assert set(stats["process"]["troubles"]) <= {"store"}, "a slow disk is no fault of the crowd's"


def crowd(pw: Pennyworth) -> tuple[list[Heard], Purges]:
    """Half of it threads, half coroutines in two loops."""
    found: list[Heard] = []
    purges = Purges(pw)

    def ask_on(seed: int) -> None:
        draw = random.Random(seed)
        with pw.http_client() as client:
            for _ in range(ASKS):
                asked, purged_s = body(draw.randrange(QUESTIONS), draw.random() < 0.3), purges.last_s
                reply = client.post("https://api.openai.com/v1/chat/completions", json=asked)
                found.append(heard(reply, reply.content, asked, purged_s))

    async def ask_along(seed: int, client: httpx2.AsyncClient) -> None:
        draw = random.Random(seed)
        for _ in range(ASKS):
            asked, purged_s = body(draw.randrange(QUESTIONS), draw.random() < 0.3), purges.last_s
            reply = await client.post("https://api.openai.com/v1/chat/completions", json=asked)
            found.append(heard(reply, reply.content, asked, purged_s))

    async def ask_together(seed: int) -> None:
        async with pw.async_http_client() as client:
            await asyncio.gather(*[ask_along(seed * 100 + place, client) for place in range(THREADS // 2)])

    threads = [threading.Thread(target=ask_on, args=(seed,)) for seed in range(THREADS)]
    threads += [threading.Thread(target=lambda seed=seed: asyncio.run(ask_together(seed))) for seed in (1, 2)]
    purging = threading.Thread(target=purges.run)
    for thread in (purging, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    purges.over.set()
    purging.join()
    return found, purges
