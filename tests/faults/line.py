"""A chaos proxy in a thread of its own, so that a test may block on its sockets as it likes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from pennyworth.testing.chaos import ChaosProxy, Faults, Seen
from pennyworth.testing.chaos.proxy import Door


class BadLine:
    """The road to a provider. ``base_url`` is that of the provider by way of this line."""

    def __init__(self, base_url: str, *script: Faults, then: Faults = ()) -> None:
        address = urlsplit(base_url)
        self._path = address.path
        self._proxy = ChaosProxy(address.hostname or "", address.port or 80, script, then=then)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="line", daemon=True)

    def __enter__(self) -> BadLine:
        self._thread.start()
        assert self._ready.wait(10.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10.0)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._proxy.port}{self._path}"

    @property
    def seen(self) -> list[Seen]:
        return self._proxy.seen

    @property
    def open_lines(self) -> int:
        return self._proxy.open_lines

    def play(self, *script: Faults, then: Faults = ()) -> None:
        async def played() -> None:
            self._proxy.play(*script, then=then)

        self._do(played())

    def break_all(self) -> None:
        async def broken() -> None:
            self._proxy.break_all()

        self._do(broken())

    def door(self, door: Door) -> None:
        self._do(self._proxy.door(door))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with self._proxy:
            self._ready.set()
            await self._over.wait()
