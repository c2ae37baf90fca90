"""Real gateways for the tests: in a thread of this process, or as processes of their own. And a small HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pennyworth.clients import KeySet
from pennyworth.config import interpret, with_sandbox
from pennyworth.plan import Plan
from pennyworth.server.doors import open_doors
from pennyworth.server.gateway import serve_alone
from pennyworth.server.reload import Reread
from pennyworth.server.run import lines
from pennyworth.server.worker import Stop
from pennyworth.view import Control

CHILD = Path(__file__).with_name("gateway_child.py")


class Reply(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(url: str, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
    """One request on a connection of its own; a body that is not bytes is sent as JSON."""
    given = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20.0)
    with contextlib.closing(connection):
        connection.request(method, path, content, given | (headers or {}))
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


class Gateway:
    """Where one is, however it runs."""

    public_url = ""
    admin_url = ""

    def admin(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
        return call(self.admin_url, method, path, body, headers)

    def get(self, path: str) -> Any:
        reply = self.admin("GET", path)
        assert reply.status == 200, reply.body
        return reply.json

    def ask(self, question: str, **fields: Any) -> Reply:
        """A chat completion."""
        messages = [{"role": "user", "content": question}]
        return self.post({"model": "gpt-4o-mini", "messages": messages} | fields)

    def post(self, body: object, headers: dict[str, str] | None = None) -> Reply:
        return call(self.public_url, "POST", "/v1/chat/completions", body, headers)

    def how(self, question: str, **fields: Any) -> str:
        """Asks and tells from where it was served."""
        return self.receipt_of(self.ask(question, **fields))["served"]

    def receipt_of(self, reply: Reply) -> Any:
        return self.get(f"/api/v1/receipts/{reply.headers['x-pennyworth-receipt']}")

    def open_stream(self, question: str, **fields: Any) -> http.client.HTTPResponse:
        """A streamed completion of which the head has come."""
        connection = http.client.HTTPConnection(urlsplit(self.public_url).netloc, timeout=20.0)
        messages = [{"role": "user", "content": question}]
        body = json.dumps({"model": "gpt-4o-mini", "stream": True, "messages": messages} | fields)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        return connection.getresponse()

    def workers(self) -> dict[str, int]:
        """Name -> process id of those that answer."""
        return {worker["worker"]: worker["pid"] for worker in self.get("/api/v1/cache/stats")["workers"]}


def plan_for(state_dir: Path, sandbox_url: str, env: dict[str, str] | None = None, **tables: Any) -> Plan:
    """A Plan that listens on free ports and asks this sandbox."""
    data = {"state_dir": str(state_dir), "listen": {"port": 0}, "admin": {"port": 0}} | tables
    return with_sandbox(interpret(data, env or {}), sandbox_url)


class GatewayThread(Gateway):
    """A whole gateway in a loop of its own, in a thread of this process."""

    def __init__(self, plan: Plan, read: Callable[[], Plan] | None = None) -> None:
        """``read``: the Plan that a reload finds."""
        self.told: list[str] = []
        self._read = read
        self.troubles: list[tuple[str, str]] = []
        self._plan = plan
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> GatewayThread:
        self._doors = open_doors(self._plan)
        self.public_url, self.admin_url = self._doors.public_url, self._doors.admin_url
        self._thread.start()
        assert self._ready.wait(20.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(20.0)
        self._doors.close()
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = Stop()
        report = lambda part, what: self.troubles.append((part, what))  # noqa: E731
        tell = lambda severity, what: self.told.append(f"{severity}: {what}")  # noqa: E731
        reread = Reread(self._read, tell, lambda plan: None, asyncio.Event()) if self._read else None
        await serve_alone(self._plan, self._doors, report, self._stop, self._on_ready, reread)

    def _on_ready(self, control: Control, keys: KeySet) -> None:
        self._found = control, keys
        self._ready.set()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop)

    def lines(self) -> list[str]:
        """What a person would have been told at its start."""
        return list(lines(self._plan, self._doors, *self._found))


class GatewayProcess(Gateway):
    """A gateway started as people start one; ``lines`` is what it said."""

    def __init__(self, state_dir: Path, sandbox_url: str = "", stdin: int | None = None, **env: str) -> None:
        ours = {"PENNYWORTH_PORT": "0", "PENNYWORTH_ADMIN_PORT": "0", "PENNYWORTH_STATE_DIR": str(state_dir)}
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self.child = subprocess.Popen(
            [sys.executable, CHILD],
            stdin=stdin,
            env=inherited | ours | ({"TEST_SANDBOX": sandbox_url} if sandbox_url else {}) | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []

    def __enter__(self) -> GatewayProcess:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Pennyworth"):
                self.public_url = line.split("/v1 ")[0].rpartition(" ")[2]
            elif line.startswith("Admin port: "):
                self.admin_url = line.split()[2]
            elif line.startswith("No provider"):
                return self
        raise AssertionError(self.child.communicate()[1])

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.communicate(timeout=20.0)
        finally:
            self.child.kill()


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """A process that hangs meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def eventually(look: Callable[[], bool], within_s: float = 15.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if look():
            return True
        time.sleep(0.05)
    return False
