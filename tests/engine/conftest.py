"""A whole engine in memory, with a scripted provider and a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest

from pennyworth.assemble import MEMORY, Runtime, open_runtime
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.ledgers.balance import balances
from pennyworth.outcome import Receipt
from pennyworth.plan import Persistence, Plan, Provider
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.testing.scripted import Entry, ScriptedUpstream
from pennyworth.wire import chat


class HandClock:
    def __init__(self) -> None:
        self.now_s = 1_790_000_000.0

    def wall_s(self) -> float:
        self.now_s += 1e-5  # time passes between any two looks at it
        return self.now_s

    def mono_ns(self) -> int:
        return int(self.now_s * 1e9)


class House:
    """The engine under test, and short ways to speak to it."""

    def __init__(self, runtime: Runtime, upstream: ScriptedUpstream, clock: HandClock, troubles: list[str]) -> None:
        self.runtime = runtime
        self.engine = runtime.engine
        self.upstream = upstream
        self.clock = clock
        self.troubles = troubles

    async def begin(
        self, question: str = "hi", *, scope: str = "local", headers: dict[str, str] | None = None, **fields: Any
    ) -> Reply | Relay:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}], **fields}
        request = chat.read_request(
            json.dumps(body, ensure_ascii=False).encode(), headers or {}, Caller(scope), vary=("openai-beta",)
        )
        return await self.engine.handle(request)

    async def ask(self, question: str = "hi", **more: Any) -> Heard:
        return await hear(await self.begin(question, **more))

    def receipts(self) -> list[Receipt]:
        """Oldest first; each of them must balance."""
        found = list(reversed(self.runtime.parts.ledger.receipts(1000)))
        assert all(balances(receipt) for receipt in found)
        return found

    def last(self) -> Receipt:
        return self.receipts()[-1]


class Heard:
    """What a caller got."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        """The answer's text, of JSON or events."""
        if not self.body.startswith(b"data:"):
            return str(json.loads(self.body)["choices"][0]["message"]["content"])
        chunks = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: {")]
        deltas = [choice["delta"] for chunk in chunks for choice in json.loads(chunk).get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def cache(self) -> str:
        return self.headers.get("cache-status", "")


async def hear(handled: Reply | Relay) -> Heard:
    if isinstance(handled, Reply):
        return _heard(handled, handled.body)
    try:
        reply = await handled.reply()
        body = reply.body
        while reply.more and (block := await handled.read()):
            body += block
    finally:
        handled.close()
    return _heard(reply, body)


def _heard(reply: Reply, body: bytes) -> Heard:
    return Heard(reply.status, {name.decode(): value.decode() for name, value in reply.headers}, body)


MakeHouse = Callable[..., Awaitable[House]]


ONCE = Persistence(tries=1, trip_after=10**9)
"""Each call is made once, so that a script reads as the dialogue."""

AGAIN = Persistence(pause_s=0.001)
"""The usual persistence, without the waiting."""


def open_house(
    script: Iterable[Entry] = (), *, then: Entry | None = None, persistence: Persistence = ONCE, **plan: Any
) -> House:
    """An engine in memory with this script. Close ``runtime`` when done."""
    provider = Provider(
        name="openai",
        base_url="http://127.0.0.1:1/v1",
        credential=Secret("sk-test"),
        price_provider="openai",
        key_source="OPENAI_API_KEY",
        persistence=persistence,
    )
    settings: dict[str, Any] = {
        "providers": (provider,),
        "lifetimes": DEFAULT_LIFETIMES,
        "state_dir": MEMORY,
        "allow_anonymous": True,
        **plan,
    }
    upstream, clock = ScriptedUpstream(script, then=then), HandClock()
    troubles: list[str] = []
    runtime = open_runtime(
        Plan(**settings), lambda part, what: troubles.append(f"{part}: {what}"), upstream=upstream, clock=clock
    )
    runtime.start()
    return House(runtime, upstream, clock, troubles)


@pytest.fixture
async def house() -> AsyncIterator[MakeHouse]:
    opened: list[House] = []

    async def make(script: Iterable[Entry] = (), *, then: Entry | None = None, **plan: Any) -> House:
        opened.append(open_house(script, then=then, **plan))
        return opened[-1]

    yield make
    for one in opened:
        await one.runtime.close()
        assert not one.upstream.open_exchanges
        assert len(one.engine.flights) == 0
