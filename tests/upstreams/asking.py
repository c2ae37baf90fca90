"""Calls to a scripted server, as short as a test wants them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from pennyworth.errors import UpstreamError
from pennyworth.plan import Provider, Target
from pennyworth.ports import Call
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.upstreams.http import HttpUpstream

ANSWER = chat_json("hello")
CREDENTIAL = "Bearer sk-of-the-provider"


class Got(msgspec.Struct, frozen=True):
    """What came of a call: a whole reply, or how far it came before it failed."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = {}
    fault: str = ""
    message: str = ""


def call_to(url: str, *, stream: bool = False, body: bytes = b"{}", **provider: Any) -> Call:
    settings: dict[str, Any] = {"connect_s": 1.0, "idle_s": 5.0, "total_s": 5.0, **provider}
    at = Provider(name="openai", base_url=url, credential=Secret("sk-of-the-provider"), **settings)
    headers = (("content-type", "application/json"), ("authorization", CREDENTIAL))
    return Call(
        target=Target(provider=at, model="m"), path="/chat/completions", headers=headers, body=body, stream=stream
    )


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[HttpUpstream]:
    opened = HttpUpstream()
    try:
        yield opened
    finally:
        await opened.close()


async def ask(asked: HttpUpstream, call: Call) -> Got:
    """Calls and reads to the end, whatever end that is."""
    try:
        exchange = await asked.open(call)
    except UpstreamError as error:
        return Got(fault=error.fault, message=error.message)
    body = b""
    try:
        while data := await exchange.read():
            body += data
    except UpstreamError as error:
        return Got(exchange.status, body, dict(exchange.headers), error.fault, error.message)
    finally:
        exchange.close()
    return Got(exchange.status, body, dict(exchange.headers))


async def until_true(look: Callable[[], bool], within_s: float = 5.0) -> None:
    """Waits for something that no event tells."""
    async with asyncio.timeout(within_s):
        while True:
            if look():
                return
            await asyncio.sleep(0.005)
