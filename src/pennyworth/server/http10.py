"""Replies of unknown length to HTTP/1.0: they end with the connection, for chunks came only with HTTP/1.1.

RFC 9112 §6.1 forbids chunks there. uvicorn sends them all the same, and nginx asks in HTTP/1.0 unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from types import MethodType
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def close_delimited(protocol: HttpToolsProtocol) -> Any:
    """The protocol's application, for one request in HTTP/1.0."""
    application = cast(Any, protocol.config.loaded_app)

    async def run(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        await application(scope, receive, _Writer(protocol, send).send)

    return run


class _Writer:
    """Passes a reply of known length on to uvicorn, and writes any other itself."""

    def __init__(self, protocol: HttpToolsProtocol, send: Send) -> None:
        self._protocol = protocol
        self._cycle = cast(RequestResponseCycle, cast(MethodType, send).__self__)  # which is not the protocol's latest
        self._send = send
        self._ours = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._ours = all(name != b"content-length" for name, _ in message["headers"])
        if not self._ours:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start(message)
        else:
            await self._go_on(message)

    def _start(self, message: Message) -> None:
        lines = [b"%s: %s\r\n" % header for header in message["headers"]]
        self._cycle.response_started = True
        self._protocol.transport.write(b"".join([STATUS_LINE[message["status"]], *lines, b"connection: close\r\n\r\n"]))

    async def _go_on(self, message: Message) -> None:
        protocol, cycle = self._protocol, self._cycle
        if protocol.flow.write_paused and not cycle.disconnected:
            await protocol.flow.drain()
        if cycle.disconnected:
            return
        protocol.transport.write(message["body"])
        if not message.get("more_body"):
            cycle.response_complete = True
            cycle.message_event.set()
            protocol.transport.close()
            cycle.on_response()
