"""Sends requests through a gateway, so many at a time, and notes how each was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import aiohttp
import msgspec

from pennyworth.cli.exits import not_there
from pennyworth.cli.replay_file import Ask
from pennyworth.money import Money

_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One reply. ``served``: where it came from, by the gateway's own word. ``problem``: why it is no answer."""

    line: int
    status: int
    ms: float
    served: str = ""
    receipt: str = ""
    spent: Money | None = None
    saved: Money | None = None
    problem: str = ""


async def send_all(
    base_url: str, key: str, asks: Sequence[Ask], concurrency: int, tell: Callable[[Heard], None]
) -> list[Heard]:
    """Every request once, in their order. Raises ``CommandError`` if nothing answers at that address."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE, trust_env=False) as session:
        await _need_gateway(session, base_url)
        waiting, heard = iter(asks), []

        async def work(mine: Iterator[Ask]) -> None:
            for ask in mine:
                reply = await _send(session, base_url, key, ask)
                heard.append(reply)
                tell(reply)

        await asyncio.gather(*(work(waiting) for _ in range(min(concurrency, len(asks)))))
    return heard


async def _need_gateway(session: aiohttp.ClientSession, base_url: str) -> None:
    try:
        async with session.get(base_url + "/models", timeout=aiohttp.ClientTimeout(total=10)):
            pass
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise not_there(
            f"Nothing answers at {base_url} ({type(error).__name__}). Nothing was sent.",
            "Start a gateway (pennyworth serve), name another by --url, or use --dry-run.",
        ) from error


async def _send(session: aiohttp.ClientSession, base_url: str, key: str, ask: Ask) -> Heard:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    began = time.perf_counter()
    try:
        async with session.post(base_url + "/chat/completions", data=ask.body, headers=headers) as reply:
            body = await reply.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Heard(
            line=ask.line, status=0, ms=_since(began), problem=f"the connection broke ({type(error).__name__})"
        )
    return Heard(
        line=ask.line,
        status=reply.status,
        ms=_since(began),
        served=_served(reply.headers.get("cache-status", "")),
        receipt=reply.headers.get("x-pennyworth-receipt", ""),
        spent=_money(reply.headers, "x-pennyworth-spent"),
        saved=_money(reply.headers, "x-pennyworth-saved"),
        problem=_problem(reply.status, body, reply.content_type),
    )


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _served(cache_status: str) -> str:
    """The kind of hit, ``coalesced``, or ``upstream`` (RFC 9211: ``pennyworth; hit; ttl=3600; detail=exact``)."""
    words = [word.strip() for word in cache_status.split(";")]
    if "hit" in words:
        return next((word.removeprefix("detail=") for word in words if word.startswith("detail=")), "exact")
    return "coalesced" if "collapsed" in words else "upstream"


def _money(headers: Mapping[str, str], name: str) -> Money | None:
    try:
        return Money.usd(headers[name])
    except (KeyError, ArithmeticError):
        return None  # a stream, whose cost was not known when its head was sent; or unpriced


def _problem(status: int, body: bytes, content_type: str) -> str:
    if status != 200:
        return f"{status}: {_message(body)}"
    if content_type == "text/event-stream" and b'"error"' in body[-2000:] and b"[DONE]" not in body[-100:]:
        return "the stream broke off, and said so"
    return ""


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])[:300]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return body[:100].decode(errors="replace")
