"""What an exact hit costs in process, through each transport: CPU microseconds of the whole process, all its threads.

Three figures a door: the transport's own call, from the SDK's HTTP client to the bytes of the reply; the SDK's call
altogether; and what the SDK costs by itself, over a transport that gives the same bytes without asking anybody.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import httpx2
import msgspec
from openai import AsyncOpenAI, OpenAI

from benchmarks.questions import MODEL, body
from benchmarks.sheet import Cell, Sheet
from pennyworth import Pennyworth
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.plan import Plan, Provider
from pennyworth.sandbox import SandboxServer
from pennyworth.secret import Secret

_URL = "https://api.openai.com/v1/chat/completions"
_MARK = "pennyworth; hit"

Measure = Callable[[int], float]
"""CPU µs of each of so many hits."""


class _Canned(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Gives one reply again and again."""

    def __init__(self, reply: httpx2.Response) -> None:
        self._status, self._headers, self._body = reply.status_code, list(reply.headers.raw), reply.content

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(self._status, headers=self._headers, stream=httpx2.ByteStream(self._body))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)


class _CannedLegacy(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The same."""

    def __init__(self, reply: httpx2.Response) -> None:
        self._status, self._headers, self._body = reply.status_code, list(reply.headers.raw), reply.content

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self._status, headers=self._headers, stream=httpx.ByteStream(self._body))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


def run(*, rounds: int = 15, hits: int = 400) -> Sheet:
    """The bench."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="pennyworth-bench-")))
        sandbox = opened.enter_context(SandboxServer(process=True))
        pw = opened.enter_context(Pennyworth(_plan(sandbox.base_url, folder)))
        measures = {name: dict(columns) for name, columns in _doors(pw)}
        gc.collect()
        gc.freeze()
        found = _measured(measures, rounds, hits)
    return Sheet(
        name="doors",
        title="An exact hit in process: CPU µs of the whole process, the engine's thread included",
        method=f"{rounds} rounds of {hits} hits each way in turn; medians, with the lowest and highest of the transport.",
        rows=[_row(name, columns) for name, columns in found.items()],
        notes=(
            "Transport: from the HTTP client's request to the reply's bytes; required: at most 150 µs. SDK: a whole "
            "client.chat.completions.create. SDK alone: the same over a transport that asks nobody.",
        ),
    )


def _plan(base_url: str, folder: Path) -> Plan:
    provider = Provider(name="openai", base_url=base_url, credential=Secret("sk-bench"), price_provider="openai")
    return Plan(providers=(provider,), lifetimes=DEFAULT_LIFETIMES, state_dir=str(folder / "state"))


def _doors(pw: Pennyworth) -> Iterator[tuple[str, list[tuple[str, Measure]]]]:
    asked = msgspec.json.decode(body("doors"))
    request = httpx2.Request("POST", _URL, headers=_headers(pw, asked), content=body("doors"))
    legacy = httpx.Request("POST", _URL, headers=list(request.headers.raw), content=body("doors"))
    plain, old = pw.http_client(), pw.legacy_http_client()
    later, old_later = pw.async_http_client(), pw.legacy_async_http_client()
    plain.send(request)
    reply = plain.send(request)
    assert reply.headers["cache-status"].startswith(_MARK)
    given: Any = {"model": MODEL, "messages": asked["messages"]}
    canned, canned_legacy = _Canned(reply), _CannedLegacy(reply)
    yield (
        "httpx2",
        _columns(
            lambda: plain._transport.handle_request(request),
            _sdk(plain, given),
            _sdk(httpx2.Client(transport=canned), given),
        ),
    )
    yield (
        "httpx",
        _columns(
            lambda: old._transport.handle_request(legacy),
            _sdk(old, given),
            _sdk(httpx.Client(transport=canned_legacy), given),
        ),
    )
    yield (
        "httpx2, async",
        _async_columns(
            lambda: later._transport.handle_async_request(request),
            _async_sdk(later, given),
            _async_sdk(httpx2.AsyncClient(transport=canned), given),
        ),
    )
    yield (
        "httpx, async",
        _async_columns(
            lambda: old_later._transport.handle_async_request(legacy),
            _async_sdk(old_later, given),
            _async_sdk(httpx.AsyncClient(transport=canned_legacy), given),
        ),
    )


def _headers(pw: Pennyworth, asked: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """Those that the SDK sends."""
    seen: list[httpx2.Request] = []
    client = OpenAI(http_client=pw.http_client(event_hooks={"request": [seen.append]}), api_key="unused")
    client.chat.completions.create(**asked)
    return [(name, value) for name, value in seen[0].headers.raw if name.lower() != b"content-length"]


def _sdk(client: Any, given: Any) -> Callable[[], object]:
    sdk = OpenAI(http_client=client, api_key="unused")
    return lambda: sdk.chat.completions.create(**given)


def _async_sdk(client: Any, given: Any) -> Callable[[], Awaitable[object]]:
    sdk = AsyncOpenAI(http_client=client, api_key="unused")
    return lambda: sdk.chat.completions.create(**given)


def _columns(*ways: Callable[[], object]) -> list[tuple[str, Measure]]:
    def measure(way: Callable[[], object]) -> Measure:
        def of(hits: int) -> float:
            before = time.process_time_ns()
            for _ in range(hits):
                way()
            return (time.process_time_ns() - before) / 1e3 / hits

        return of

    return list(zip(("transport", "SDK", "SDK alone"), map(measure, ways), strict=True))


def _async_columns(*ways: Callable[[], Awaitable[object]]) -> list[tuple[str, Measure]]:
    def measure(way: Callable[[], Awaitable[object]]) -> Measure:
        async def one_by_one(hits: int) -> float:
            await way()
            before = time.process_time_ns()
            for _ in range(hits):
                await way()
            return (time.process_time_ns() - before) / 1e3 / hits

        return lambda hits: asyncio.run(one_by_one(hits))

    return list(zip(("transport", "SDK", "SDK alone"), map(measure, ways), strict=True))


def _measured(measures: dict[str, dict[str, Measure]], rounds: int, hits: int) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {way: [] for way in ways} for name, ways in measures.items()}
    for _ in range(rounds):
        for name, ways in measures.items():
            for way, measure in ways.items():
                found[name][way].append(measure(hits))
    return found


def _row(name: str, columns: dict[str, list[float]]) -> dict[str, Cell]:
    transport = columns["transport"]
    return {
        "over": name,
        "transport": statistics.median(transport),
        "lowest": min(transport),
        "highest": max(transport),
        "SDK": statistics.median(columns["SDK"]),
        "SDK alone": statistics.median(columns["SDK alone"]),
    }
