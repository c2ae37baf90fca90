"""The doors of the gateway as one: each is asked in the same words, and says what came back in the same words."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import httpx2

from pennyworth import Pennyworth
from pennyworth.outcome import Receipt
from pennyworth.plan import Plan
from tests.door.running import Running

_FRAMING = (
    "date",
    "connection",
    "transfer-encoding",
    "content-length",
    "x-pennyworth-receipt",
    "x-request-id",
    "request-id",
)
"""What a reply's way through a socket adds, and the ids."""

Ask = Callable[["Question"], "Answer"]


class Question(NamedTuple):
    body: bytes = b""
    headers: Mapping[str, str] = {}
    path: str = "/v1/chat/completions"
    method: str = "POST"


class Answer(NamedTuple):
    """``broke``: its stream did not come to an end."""

    status: int
    headers: dict[str, str]
    body: bytes
    broke: bool = False


class Door(NamedTuple):
    """``receipts``: oldest first. ``ask`` may be called from several threads."""

    ask: Ask
    receipts: Callable[[], list[Receipt]]


@contextlib.contextmanager
def server(plan: Plan) -> Iterator[Door]:
    """Over a socket."""
    with Running(plan) as running, httpx2.Client(base_url=running.url, timeout=20.0) as client:
        yield Door(lambda question: _asked(client, httpx2.HTTPError, question, ""), running.receipts)


@contextlib.contextmanager
def over_httpx2(plan: Plan) -> Iterator[Door]:
    with Pennyworth(plan) as pw, pw.http_client(timeout=20.0) as client:
        yield Door(lambda question: _asked(client, httpx2.HTTPError, question), lambda: receipts_of(pw))


@contextlib.contextmanager
def over_httpx(plan: Plan) -> Iterator[Door]:
    with Pennyworth(plan) as pw, pw.legacy_http_client(timeout=20.0) as client:
        yield Door(lambda question: _asked(client, httpx.HTTPError, question), lambda: receipts_of(pw))


@contextlib.contextmanager
def over_async_httpx2(plan: Plan) -> Iterator[Door]:
    with Pennyworth(plan) as pw:
        client = pw.async_http_client(timeout=20.0)
        yield Door(lambda question: asyncio.run(_awaited(client, httpx2.HTTPError, question)), lambda: receipts_of(pw))


@contextlib.contextmanager
def over_async_httpx(plan: Plan) -> Iterator[Door]:
    with Pennyworth(plan) as pw:
        client = pw.legacy_async_http_client(timeout=20.0)
        yield Door(lambda question: asyncio.run(_awaited(client, httpx.HTTPError, question)), lambda: receipts_of(pw))


TRANSPORTS: Mapping[str, Callable[[Plan], contextlib.AbstractContextManager[Door]]] = {
    "httpx2": over_httpx2,
    "httpx": over_httpx,
    "async httpx2": over_async_httpx2,
    "async httpx": over_async_httpx,
}


def receipts_of(pw: Pennyworth) -> list[Receipt]:
    house = pw._at_home()
    return list(reversed(house.run(house.books.receipts(100_000, None, {}))))


def _asked(client: Any, errors: type[Exception], question: Question, base: str = "https://api.openai.com") -> Answer:
    parts: list[bytes] = []
    with client.stream(
        question.method, base + question.path, content=question.body, headers=dict(question.headers)
    ) as reply:
        try:
            parts.extend(reply.iter_raw())
        except errors:
            return _answer(reply, parts, broke=True)
    return _answer(reply, parts)


async def _awaited(client: Any, errors: type[Exception], question: Question) -> Answer:
    parts: list[bytes] = []
    url = "https://api.openai.com" + question.path
    async with client.stream(question.method, url, content=question.body, headers=dict(question.headers)) as reply:
        try:
            parts.extend([part async for part in reply.aiter_raw()])
        except errors:
            return _answer(reply, parts, broke=True)
    return _answer(reply, parts)


def _answer(reply: Any, parts: list[bytes], *, broke: bool = False) -> Answer:
    headers = {name: _timeless(value) for name, value in reply.headers.items() if name not in _FRAMING}
    return Answer(reply.status_code, headers, _placeless(b"".join(parts)), broke)


def _timeless(value: str) -> str:
    return re.sub(r"ttl=\d+", "ttl=…", value)


def _placeless(body: bytes) -> bytes:
    """Each gateway has a provider of its own, at a port of its own."""
    return re.sub(rb"127\.0\.0\.1:\d+", b"127.0.0.1:0", body)
