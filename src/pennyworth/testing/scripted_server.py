"""A provider that follows a script, on a real loopback socket: exact bytes, for the faults below HTTP.

Half a head, a wrong content-length, a chunk cut at any byte, a reset: what no well-behaved server library will send::

    script = [
        connection(send(b"HTTP/1.1 200 OK\\r\\nContent-Le"), reset()),
        connection(send(http_reply(chat_json("hello"))), read_request(), send(http_reply(chat_json("again")))),
    ]
    async with ScriptedServer(script) as server:
        ... call server.url ...
    assert b"hello" in server.requests[0]

Each connection reads one request before its first step; ``read_request()`` reads another on the same connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from types import TracebackType

import msgspec

_DISCARD = struct.pack("ii", 1, 0)


class Send(msgspec.Struct, frozen=True):
    """These bytes and no others; ``slice_bytes`` > 0 sends them in so many at a time."""

    data: bytes
    slice_bytes: int = 0


class Until(msgspec.Struct, frozen=True):
    """Go on when the test sets this event."""

    event: asyncio.Event


class Reset(msgspec.Struct, frozen=True):
    """Break the connection by a TCP RST."""


class ReadRequest(msgspec.Struct, frozen=True):
    """Read one whole request (a body with ``content-length`` or chunked)."""


class AwaitClose(msgspec.Struct, frozen=True):
    """Hold the connection, silently, until the client closes it."""


Step = Send | Until | Reset | ReadRequest | AwaitClose
Connection = tuple[Step, ...]
"""What happens on one connection; after the last step it is closed in order."""


def connection(*steps: Step) -> Connection:
    """A connection whose first request is read before the first of these steps."""
    return (ReadRequest(), *steps)


def deaf(*steps: Step) -> Connection:
    """A connection that is accepted and on which nothing is read before these steps."""
    return steps


def send(data: bytes, *, slice_bytes: int = 0) -> Send:
    return Send(data, slice_bytes)


def until(event: asyncio.Event) -> Until:
    return Until(event)


def reset() -> Reset:
    return Reset()


def read_request() -> ReadRequest:
    return ReadRequest()


def await_close() -> AwaitClose:
    return AwaitClose()


def http_head(status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """A response head with exactly these headers."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def http_reply(
    body: bytes, *, status: str = "200 OK", headers: Mapping[str, str] | None = None, length: int | None = None
) -> bytes:
    """A whole reply; ``length`` claims another content-length than the body's."""
    own = {"content-type": "application/json", "content-length": str(len(body) if length is None else length)}
    return http_head(status, {**own, **(headers or {})}) + body


def http_stream(events: Iterable[bytes], *, headers: Mapping[str, str] | None = None, ended: bool = True) -> bytes:
    """A whole chunked reply, one chunk an event; ``ended=False`` leaves out the last, empty chunk."""
    own = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
    return http_head("200 OK", {**own, **(headers or {})}) + chunks + (b"0\r\n\r\n" if ended else b"")


class ScriptedServer:
    """Plays one entry of the script for each connection that comes.

    Attributes:
        requests: every request read, head and body, as it came. ``connections``: how many came.
        unexpected: connections beyond the script (each is reset at once).
        clients_left: connections the client closed before their steps were over.
    """

    def __init__(self, script: Iterable[Connection] = (), *, then: Connection | None = None) -> None:
        """``then`` is played for every connection after the script's last."""
        self.requests: list[bytes] = []
        self.connections = 0
        self.unexpected = 0
        self.clients_left = 0
        self.url = ""
        self._script = list(script)
        self._then = then
        self._server: asyncio.Server | None = None
        self._playing: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in list(self._playing):
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def play(self, *script: Connection) -> None:
        """From the next connection on, this script instead of what is left of the old one."""
        self._script = list(script)

    @property
    def playing(self) -> int:
        """Connections whose steps are not over."""
        return len(self._playing)

    async def until_clients_left(self, number: int) -> None:
        """Wait until so many clients have left early."""
        while self.clients_left < number:
            self._left.clear()
            await self._left.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        steps = self._script.pop(0) if self._script else self._then
        if steps is None:
            self.unexpected += 1
            steps = (Reset(),)
        try:
            for step in steps:
                await self._play(step, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.clients_left += 1
            self._left.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case Send(data, slice_bytes):
                size = slice_bytes or max(len(data), 1)
                for start in range(0, len(data), size):
                    writer.write(data[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(0)
            case Until(event):
                await event.wait()
            case Reset():
                await asyncio.sleep(0)
                _linger_not(writer)
                writer.transport.abort()
            case ReadRequest():
                self.requests.append(await _request(reader))
            case AwaitClose():
                await reader.read()


def _linger_not(writer: asyncio.StreamWriter) -> None:
    """A linger time of zero makes closing a reset (socket(7)). By way of a twin, because uvloop hides ``setsockopt``."""
    twin = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
    twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
    twin.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(_header(line) for line in head.split(b"\r\n")[1:-2])
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return head + await _chunked(reader)
    return head + await reader.readexactly(int(fields.get(b"content-length", b"0")))


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip().lower()


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """A chunked body as it came, framing included."""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        rest = await reader.readexactly(int(line.split(b";")[0], 16) + 2)
        body += line + rest
        if rest == b"\r\n":
            return body
