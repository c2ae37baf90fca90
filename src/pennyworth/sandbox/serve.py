"""Running a sandbox: in this thread for the command line, in another thread or process for tests and demos."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from types import TracebackType
from typing import IO

import msgspec
import uvicorn

from pennyworth.sandbox.app import Sandbox
from pennyworth.sandbox.peer import PeerProtocol
from pennyworth.sandbox.remote import SandboxControl
from pennyworth.sandbox.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn that breaks what is under way when it stops, instead of waiting for replies that hang by intention."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, PeerProtocol):
                connection.transport.abort()
        await super().shutdown(sockets)


def _server(settings: Settings) -> _Server:
    if not settings.run:
        settings = msgspec.structs.replace(settings, run=os.urandom(4).hex())
    config = uvicorn.Config(
        Sandbox(settings),
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return _Server(config)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def address(listener: socket.socket) -> str:
    """``http://host:port`` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(host: str = "127.0.0.1", port: int = 8090, settings: Settings | None = None) -> None:
    """Run a sandbox here until SIGINT or SIGTERM."""
    serve_on(bind(host, port), settings or Settings())


def serve_on(listener: socket.socket, settings: Settings) -> None:
    """Run a sandbox on a socket already bound, until SIGINT or SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt):
        _server(settings).run(sockets=[listener])


class SandboxServer:
    """A sandbox beside the code that uses it::

        with SandboxServer(Settings(seed=7)) as sandbox:
            client = OpenAI(base_url=sandbox.base_url, api_key="sk-anything")

    In a thread by default; with ``process=True`` in a process of its own, which a load test needs, because two busy
    threads share one interpreter. ``control`` reads its bill and writes its script.
    """

    def __init__(
        self, settings: Settings | None = None, *, process: bool = False, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._settings = settings or Settings()
        self._runner: _Thread | _Process = (_Process if process else _Thread)(self._settings, host, port)
        self.url = ""

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL."""
        return self.url + "/v1"

    @property
    def control(self) -> SandboxControl:
        return SandboxControl(self.url)

    def start(self) -> None:
        self.url = self._runner.start()

    def stop(self) -> None:
        """Break what is under way and stop; may be called twice."""
        self._runner.stop()

    def __enter__(self) -> SandboxServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Thread:
    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._server = _server(settings)
        self._listener = bind(host, port)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="sandbox", daemon=True
        )

    def start(self) -> str:
        url = address(self._listener)
        self._thread.start()
        return url

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10.0)
        self._listener.close()


class _Process:
    """``python -m pennyworth.sandbox``: settings go in by its standard input, whose end also ends the process."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._command = [sys.executable, "-m", "pennyworth.sandbox", "--host", host, "--port", str(port), "--tied"]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self._child = child = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )  # Ctrl-C is for the gateway, which then has streams to drain that this one is still sending
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the sandbox process has no pipes")
        child.stdin.write(msgspec.json.encode(self._settings) + b"\n")
        child.stdin.flush()
        return _first_line(child, child.stdout)

    def stop(self) -> None:
        if self._child is None:
            return
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._child.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def _first_line(child: subprocess.Popen[bytes], stdout: IO[bytes]) -> str:
    ready, _, _ = select.select([stdout], [], [], 30.0)
    line = stdout.readline().decode().strip() if ready else ""
    if not line:
        child.kill()
        raise RuntimeError("the sandbox process did not start; its reason stands above")
    return line
