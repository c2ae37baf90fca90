"""A provider on a real socket that gives the bytes it was told to, for the official SDK to read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply: bytes = self.server.reply  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class Provider:
    """A server that gives the bytes it was told to. ``url``: where, without ``/v1``."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.gives(b"")

    def gives(self, reply: bytes, status: int = 200) -> None:
        self._server.reply = reply  # type: ignore[attr-defined]
        self._server.status = status  # type: ignore[attr-defined]


class SDK:
    """The official client, asking a provider that answers with given bytes."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._client = OpenAI(base_url=provider.url + "/v1", api_key="none", max_retries=0, timeout=10)

    def asking(self, raw: bytes, status: int = 200) -> OpenAI:
        """The client, whose next question is answered by these bytes."""
        self._provider.gives(raw, status)
        return self._client

    def completion(self, raw: bytes, status: int = 200) -> ChatCompletion:
        self._provider.gives(raw, status)
        return self._client.chat.completions.create(**ASK)

    def chunks(self, raw: bytes) -> list[ChatCompletionChunk]:
        self._provider.gives(raw)
        return list(self._client.chat.completions.create(**ASK, stream=True))

    def close(self) -> None:
        self._client.close()


def accumulated(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """What the SDK itself makes of a stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


@contextmanager
def sdk() -> Iterator[SDK]:
    with provider() as there:
        client = SDK(there)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def provider() -> Iterator[Provider]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Provider(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
