"""The yardstick: about the least that a Python gateway on stock parts can cost. No keys, limits, books or metrics.

    .venv/bin/python -m benchmarks.floor hit|pass UPSTREAM_PORT

Bare ASGI on uvicorn with uvloop and httptools. It parses the request and hashes its sorted form; ``hit`` then answers
from a dict, ``pass`` asks the upstream with aiohttp and parses the reply. It prints its port.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import blake2b
from typing import Any

import aiohttp
import msgspec
import uvicorn

Message = MutableMapping[str, Any]

_DECODE = msgspec.json.Decoder().decode
_SORTED = msgspec.json.Encoder(order="sorted").encode


class Floor:
    """The ASGI application."""

    def __init__(self, keeps: bool, upstream_port: int) -> None:
        self._keeps = keeps
        self._upstream = f"http://127.0.0.1:{upstream_port}"
        self._kept: dict[bytes, bytes] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        key = blake2b(_SORTED(_DECODE(body)), digest_size=16).digest()
        reply = self._kept.get(key)
        if reply is None:
            reply = await self._ask(scope["path"], body)
            if self._keeps:
                self._kept[key] = reply
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})

    async def _ask(self, path: str, body: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        headers = {"content-type": "application/json", "authorization": "Bearer x"}
        async with self._session.post(self._upstream + path, data=body, headers=headers) as response:
            reply = await response.read()
        _DECODE(reply)
        return reply


def main() -> None:
    app = Floor(keeps=sys.argv[1] == "hit", upstream_port=int(sys.argv[2]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False, log_config=None
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
