"""A provider that follows a script, in process: an ``Upstream`` whose replies a test writes down beforehand.

The test reads as the dialogue::

    answered = asyncio.Event()
    upstream = ScriptedUpstream([
        fail("connect"),
        reply(429, json={"error": {"message": "slow down"}}, headers={"retry-after": "1"}),
        stream(chat_events(["Hel", answered, "lo"], usage=(9, 2))),
    ])
    ...
    assert upstream.calls[2].path == "/chat/completions"
    assert upstream.exchanges[2].closed

An ``asyncio.Event`` between two chunks holds the next one back until the test sets it: so the test, not the clock,
decides what happens first. For faults below HTTP see ``scripted_server``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pennyworth.errors import UpstreamError, UpstreamFault
from pennyworth.ports import Call
from pennyworth.testing.chat_bytes import chat_events, chat_json, chat_usage, error_json, event

__all__ = [
    "Fail",
    "Reply",
    "ScriptedExchange",
    "ScriptedUpstream",
    "UnexpectedCall",
    "chat_events",
    "chat_json",
    "chat_usage",
    "error_json",
    "event",
    "fail",
    "reply",
    "stream",
]


class UnexpectedCall(AssertionError):  # noqa: N818  # an assertion of the test's, not an error of the program's
    """More calls came than the script has replies."""


class Fail(msgspec.Struct, frozen=True):
    """The road breaks: before the head as a script's entry, in the body as one of its chunks."""

    fault: UpstreamFault
    message: str = ""


Chunk = bytes | asyncio.Event | Fail
"""What a body is made of: bytes to read, an event to wait for, or the break."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply of the provider. ``pause`` is waited for before every chunk but the first; ``head`` before the head."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[Chunk, ...]
    pause: asyncio.Event | None = None
    head: asyncio.Event | None = None


Entry = Reply | Fail | Callable[[Call], "Reply | Fail"]
"""One turn of the script; a function looks at the call before it answers."""


def reply(
    status: int = 200,
    *,
    json: Any = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    head: asyncio.Event | None = None,
) -> Reply:
    """A whole reply with a JSON value (or ``bytes`` already encoded) or a body of your own."""
    content = json if isinstance(json, bytes) else msgspec.json.encode(json) if json is not None else body
    return Reply(
        status=status,
        headers=_headers("application/json", headers, len(content)),
        chunks=(content,) if content else (),
        head=head,
    )


def stream(
    chunks: Iterable[Chunk],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    pause: asyncio.Event | None = None,
    head: asyncio.Event | None = None,
) -> Reply:
    """A reply read chunk by chunk, just as cut here; ends properly after the last unless that is a ``fail``."""
    return Reply(
        status=status,
        headers=_headers("text/event-stream; charset=utf-8", headers, None),
        chunks=tuple(chunks),
        pause=pause,
        head=head,
    )


def fail(fault: UpstreamFault = "connect", message: str = "") -> Fail:
    """No reply, or, among the chunks of a stream, no more of it."""
    return Fail(fault, message or f"scripted: {fault}")


def _headers(kind: str, headers: Mapping[str, str] | None, length: int | None) -> tuple[tuple[str, str], ...]:
    own = {"content-type": kind, "x-request-id": "req_scripted"}
    if length is not None:
        own["content-length"] = str(length)
    return tuple({**own, **(headers or {})}.items())


class ScriptedExchange:
    """An ``Exchange`` that plays a reply.

    Attributes:
        closed: ``close`` was called. ``ended``: the body was read to its proper end.
        delivered: the bytes read so far. ``waiting``: a read is being held back just now.
    """

    def __init__(self, call: Call, entry: Reply) -> None:
        self.call = call
        self.status = entry.status
        self.headers: Sequence[tuple[str, str]] = entry.headers
        self.closed = False
        self.ended = False
        self.waiting = False
        self.delivered = b""
        self._left = list(entry.chunks)
        self._pause = entry.pause
        self._closing = asyncio.Event()

    async def read(self) -> bytes:
        if self.delivered and self._pause is not None:
            await self._hold(self._pause)
        while self._left:
            self._check_open()
            match self._left[0]:
                case asyncio.Event() as event:
                    await self._hold(event)
                case Fail(fault, message):
                    raise UpstreamError(fault, self.call.target.name, message)
                case bytes() as chunk if chunk:
                    self.delivered += chunk
                    self._left.pop(0)
                    return chunk
            self._left.pop(0)
        self._check_open()
        self.ended = True
        return b""

    def close(self) -> None:
        self.closed = True
        self._closing.set()

    async def _hold(self, event: asyncio.Event) -> None:
        """Until the event is set, or the exchange is closed meanwhile: a closed socket ends a read too."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._closing.wait())]
        self.waiting = True
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting = False
            for wait in waits:
                wait.cancel()
        self._check_open()

    def _check_open(self) -> None:
        if self.closed:
            raise UpstreamError("cancelled", self.call.target.name, "read after close")


class ScriptedUpstream:
    """An ``Upstream`` that answers the first call with the first entry of its script, and so on.

    Attributes:
        calls: every call it got, in order, whether answered or not. ``exchanges``: one for each reply it gave.
        unexpected: calls beyond the script; each also raised ``UnexpectedCall``.
        closed: ``close`` was called.
    """

    def __init__(self, script: Iterable[Entry] = (), *, then: Entry | None = None) -> None:
        """``then`` answers every call after the script's last; without it such a call is an ``UnexpectedCall``."""
        self.calls: list[Call] = []
        self.exchanges: list[ScriptedExchange] = []
        self.unexpected: list[Call] = []
        self.closed = False
        self._script = list(script)
        self._then = then
        self._arrived = asyncio.Event()

    def play(self, *script: Entry) -> None:
        """From the next call on, this script instead of what is left of the old one."""
        self._script = list(script)

    @property
    def left(self) -> int:
        """How many entries of the script nobody has asked for."""
        return len(self._script)

    @property
    def open_exchanges(self) -> list[ScriptedExchange]:
        """Exchanges nobody has closed: after a test there should be none."""
        return [exchange for exchange in self.exchanges if not exchange.closed]

    async def open(self, call: Call) -> ScriptedExchange:
        self.calls.append(call)
        self._arrived.set()
        entry = self._next(call)
        if isinstance(entry, Reply) and entry.head is not None:
            await entry.head.wait()
        if isinstance(entry, Fail):
            raise UpstreamError(entry.fault, call.target.name, entry.message)
        exchange = ScriptedExchange(call, entry)
        self.exchanges.append(exchange)
        return exchange

    async def close(self) -> None:
        self.closed = True

    async def until_calls(self, number: int) -> None:
        """Wait until so many calls have come."""
        while len(self.calls) < number:
            self._arrived.clear()
            await self._arrived.wait()

    def _next(self, call: Call) -> Reply | Fail:
        entry = self._script.pop(0) if self._script else self._then
        if entry is None:
            self.unexpected.append(call)
            raise UnexpectedCall(f"call {len(self.calls)} is not in the script: {call.target.name} {call.body[:200]!r}")
        return entry if isinstance(entry, Reply | Fail) else entry(call)
