"""Stands between a batch and the simulated provider, and changes what is said where a test wants that."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple


class Said(NamedTuple):
    """``None`` instead of a status: the connection is cut before anything is said."""

    status: int | None
    body: bytes


Change = Callable[[str, str, Said], Said]
"""By method and path; the request has reached the provider by then."""


class Meddler:
    """``change`` may be set at any time. ``calls``: method and path of each."""

    def __init__(self, base_url: str, change: Change = lambda method, path, said: said) -> None:
        self.change = change
        self.calls: list[tuple[str, str]] = []
        self._host = base_url.removeprefix("http://").partition("/")[0]
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                meddler.serve(self)

            do_GET = do_POST = do_DELETE = serve

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def serve(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("content-length") or 0))
        provider = http.client.HTTPConnection(self._host, timeout=30)
        kept = {name: value for name, value in asked.headers.items() if name.lower() not in ("host", "connection")}
        provider.request(asked.command, asked.path, body, kept)
        reply = provider.getresponse()
        kind = reply.getheader("content-type", "application/json")
        said = Said(reply.status, reply.read())
        provider.close()
        self.calls.append((asked.command, asked.path))
        said = self.change(asked.command, asked.path, said)
        asked.close_connection = True
        if said.status is None:
            return
        asked.send_response(said.status)
        asked.send_header("content-type", kind)
        asked.send_header("content-length", str(len(said.body)))
        asked.send_header("connection", "close")
        asked.end_headers()
        asked.wfile.write(said.body)

    def __enter__(self) -> Meddler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
