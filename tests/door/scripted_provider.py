"""A scripted provider in a thread of its own, so that a test may block on its sockets as it likes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType

from pennyworth.testing.scripted_server import Connection, ScriptedServer, http_reply, http_stream


def last_reply(
    body: bytes, *, status: str = "200 OK", headers: Mapping[str, str] | None = None, length: int | None = None
) -> bytes:
    """A reply that says its connection ends with it, as a polite provider does. Of one that does not, the next request
    may meet the end, and that is a test of its own."""
    return http_reply(body, status=status, headers={"connection": "close", **(headers or {})}, length=length)


def last_stream(events: Iterable[bytes], *, ended: bool = True) -> bytes:
    """The same as a stream."""
    return http_stream(events, headers={"connection": "close"}, ended=ended)


class ScriptedProvider:
    """``requests``, ``connections``, ``playing`` as of ``ScriptedServer``; ``release`` sets an event its script waits for."""

    def __init__(self, script: Iterable[Connection] = (), *, then: Connection | None = None) -> None:
        self._server = ScriptedServer(script, then=then)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="provider", daemon=True)

    def __enter__(self) -> ScriptedProvider:
        self._thread.start()
        assert self._ready.wait(10.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release(self._over)
        self._thread.join(10.0)

    def play(self, *script: Connection) -> None:
        asyncio.run_coroutine_threadsafe(self._play(script), self._loop).result(5.0)

    async def _play(self, script: tuple[Connection, ...]) -> None:
        """Once the old one is over: a connection that is just being closed might still be asked, and that is a fault of
        its own."""
        while self._server.playing:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.002)
        self._server.play(*script)

    @property
    def base_url(self) -> str:
        return self._server.url + "/v1"

    @property
    def requests(self) -> list[bytes]:
        return self._server.requests

    @property
    def bodies(self) -> list[bytes]:
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    @property
    def connections(self) -> int:
        return self._server.connections

    @property
    def playing(self) -> int:
        return self._server.playing

    def release(self, event: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(event.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with self._server:
            self._ready.set()
            await self._over.wait()
