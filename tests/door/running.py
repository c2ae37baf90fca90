"""A gateway in a thread of this process, on a real socket: its own loop, server, door, engine and client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import uvloop

from pennyworth.assemble import MEMORY, Runtime, open_runtime
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.ledgers.balance import balances
from pennyworth.outcome import Receipt
from pennyworth.plan import Limits, Listen, Persistence, Plan, Provider, Route
from pennyworth.secret import Secret
from pennyworth.server.worker import Stop, Worker, bind

T = TypeVar("T")

KEY = "sk-provider-key-0001"

ONCE = Persistence(tries=1, trip_after=10**9)
"""Each call is made once, so that a script reads as the dialogue."""


def provider_at(url: str, **more: Any) -> Provider:
    """A provider at this base URL, with prices and a credential."""
    settings: dict[str, Any] = {
        "name": "openai",
        "credential": Secret(KEY),
        "key_source": "OPENAI_API_KEY",
        "price_provider": "openai",
        "persistence": ONCE,
        **more,
    }
    return Provider(base_url=url, **settings)


def plan_for(url: str, **more: Any) -> Plan:
    """A Plan that asks the provider at ``url``, in memory unless told otherwise. ``limits`` and ``provider`` are
    given as dictionaries of what differs."""
    limits = Limits(**more.pop("limits", {}))
    settings: dict[str, Any] = {
        "providers": (provider_at(url, **more.pop("provider", {})),),
        "lifetimes": DEFAULT_LIFETIMES,
        "routes": (Route(sampled=True),),
        "state_dir": MEMORY,
        "allow_anonymous": True,
        "limits": limits,
        **more,
    }
    return Plan(**settings)


class Logged(logging.Handler):
    """What any library logs meanwhile, with its exceptions in full."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Running:
    """Start it as a context. ``url`` is the gateway's; ``receipts`` what the books say.

    Attributes:
        troubles: what ``report`` was told. ``logged``: what libraries logged: for a healthy gateway, nothing.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.url = ""
        self.troubles: list[str] = []
        self.logged = Logged()
        self.runtime: Runtime
        self._listener = bind(Listen(port=0))
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def __enter__(self) -> Running:
        logging.getLogger().addHandler(self.logged)
        self._thread.start()
        assert self._ready.wait(20.0)
        if self._failed is not None:
            raise self._failed
        host, port = self._listener.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the test has stopped it itself
            self.loop.call_soon_threadsafe(self.stop)
        self._thread.join(20.0)
        logging.getLogger().removeHandler(self.logged)
        assert not self._thread.is_alive()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        return self.url + "/v1"

    def _run(self) -> None:
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        try:
            self.runtime = open_runtime(self.plan, lambda part, what: self.troubles.append(f"{part}: {what}"))
            self.worker = Worker(self.runtime, "w0")
            self.stop = Stop()
        except BaseException as error:
            self._failed = error
            self._ready.set()
            return
        serving = asyncio.ensure_future(self.worker.serve(self._listener, self.stop))
        self._ready.set()  # the socket listens already: connections wait in it
        await serving
        await self.runtime.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs this in the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20.0)

    def look(self, see: Callable[[], T]) -> T:
        """What ``see`` returns in the gateway's loop, where nothing moves meanwhile."""

        async def seen() -> T:
            return see()

        return self.run(seen())

    def receipts(self) -> list[Receipt]:
        """Oldest first; each of them must balance."""

        def read() -> list[Receipt]:
            if self.runtime.parts.folder is not None:
                self.runtime.parts.folder.flush()
            return list(reversed(self.runtime.parts.ledger.receipts(100_000)))

        found = self.look(read)
        assert all(balances(receipt) for receipt in found)
        return found

    def last(self) -> Receipt:
        return self.receipts()[-1]

    def flights(self) -> int:
        return self.look(lambda: len(self.runtime.engine.flights))

    def tasks(self) -> int:
        """Tasks alive in the gateway's loop, but for the one that counts."""
        return self.look(lambda: len([task for task in asyncio.all_tasks() if not task.done()])) - 1

    def connections(self) -> int:
        return self.look(lambda: len(self.worker.server.connections))


def eventually(look: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if look():
            return True
        time.sleep(0.01)
    return look()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
