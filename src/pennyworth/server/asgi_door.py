"""An ASGI application behind a ``Connection``: for ports that are not in a hurry, with the same care for bad requests.

The request is given to it whole, and its reply is written when it is whole: no streams, no websockets.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.errors import RequestError
from pennyworth.server.asked import Asked
from pennyworth.server.request_head import Head

_LENGTH = b"content-length"
_LOG = logging.getLogger(__name__)

Answer = Callable[[RequestError], Reply]


class AsgiDoor:
    """A ``Door``. ``problem`` says an error in the application's own shape."""

    def __init__(self, app: ASGIApp, problem: Answer) -> None:
        self._app = app
        self._problem = problem

    def preview(self, asked: Asked) -> Reply | None:
        return None

    def answer(self, asked: Asked) -> Awaitable[Reply]:
        return self._ask(asked)

    def broken(self, asked: Asked, fault: RequestError) -> Reply:
        return self._problem(fault)

    def left(self, asked: Asked) -> None:
        """Nobody is told."""

    def refuse(self, no: Refuse) -> Reply:
        return self._problem(RequestError(no.message, status=no.status, code=no.code))

    def failed(self, error: Exception) -> Reply:
        _LOG.error("a defect of the application", exc_info=error)
        return self._problem(
            RequestError("Something went wrong here; the log says where.", status=500, code="internal")
        )

    async def _ask(self, asked: Asked) -> Reply:
        reply = Reply(500, [])
        parts: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": asked.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = [header for header in message.get("headers", ()) if header[0] != _LENGTH]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self._app(_scope(asked.head), receive, send)
        reply.body = b"".join(parts)
        return reply


def _scope(head: Head) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1" if head.chunks else "1.0",
        "method": head.method,
        "scheme": "http",
        "path": head.path,
        "raw_path": head.path.encode("utf-8", "surrogateescape"),
        "root_path": "",
        "query_string": head.query,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers.items()],
        "client": None,
        "server": None,
    }
