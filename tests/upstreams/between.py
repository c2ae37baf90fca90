"""What may stand between us and a provider: an HTTP proxy that works, and a provider behind TLS that looks at certificates."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pennyworth.testing.scripted_server import http_reply
from tests.upstreams.asking import ANSWER


class Proxy:
    """Tunnels (CONNECT) and forwards (a whole URL in the request line), as squid does.

    Attributes:
        heads: of all requests it was sent, as they came. ``lines``: how many connections were made to it.
    """

    def __init__(self, credentials: str = "") -> None:
        self.heads: list[bytes] = []
        self.lines = 0
        self.url = ""
        self._wanted = f"basic {base64.b64encode(credentials.encode()).decode()}" if credentials else ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def said(self, name: str) -> list[str]:
        """What a header said in each head that had it."""
        lines = (line for head in self.heads for line in head.decode().split("\r\n"))
        return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name}:")]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._wanted and self._wanted not in head.decode().lower().replace(self._wanted.lower(), self._wanted):
            writer.write(http_reply(b"", status="407 Proxy Authentication Required"))
            return
        method, where, _ = head.decode().split(" ", 2)
        host, port = self._place(method, where)
        theirs, ours = await asyncio.open_connection(host, port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            ours.write(head.replace(where.encode(), urlsplit(where).path.encode(), 1))
        await _both(reader, ours, theirs, writer)

    def _place(self, method: str, where: str) -> tuple[str, int]:
        parts = urlsplit(f"//{where}" if method == "CONNECT" else where)
        return parts.hostname or "", parts.port or 80


async def _both(
    client: asyncio.StreamReader, up: asyncio.StreamWriter, provider: asyncio.StreamReader, down: asyncio.StreamWriter
) -> None:
    there = asyncio.ensure_future(_pour(client, up))
    try:
        await _pour(provider, down)
    finally:
        there.cancel()
        up.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class Provider:
    """Behind TLS. ``seen``: for each request the name in the client's certificate, "" without one."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[str] = []
        self.lines = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        shown = writer.get_extra_info("peercert") or {}
        names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                await reader.readuntil(b"{}")
                self.seen.append("".join(names))
                writer.write(http_reply(ANSWER))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def provider(pair: tuple[Path, Path], *, wants: Path | None = None) -> AsyncIterator[Provider]:
    """``pair``: its certificate and key. ``wants``: demands a certificate of this authority."""
    at = Provider()
    server = await asyncio.start_server(at.serve, "127.0.0.1", 0, ssl=_demanding(pair, wants))
    at.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    yield at
    server.close()


@contextlib.contextmanager
def refusing(pair: tuple[Path, Path], wants: Path, newest: ssl.TLSVersion) -> Iterator[str]:
    """The URL of a server whose refusal of a certificate arrives: asyncio's servers drop the alert they owe (RFC 8446 §6)."""
    context = _demanding(pair, wants)
    context.maximum_version = newest
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_refuse, args=(listening, context))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"
    thread.join()


def _refuse(listening: socket.socket, context: ssl.SSLContext) -> None:
    line, _ = listening.accept()
    with line:
        with contextlib.suppress(ssl.SSLError, OSError):
            talk = context.wrap_socket(line.dup(), server_side=True)
            talk.recv(1)
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):  # what is left unread would make the end a reset, and the alert be lost
                pass


def _demanding(pair: tuple[Path, Path], wants: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=wants)
    context.load_cert_chain(*pair)
    context.verify_mode = ssl.CERT_REQUIRED if wants else ssl.CERT_NONE
    return context
