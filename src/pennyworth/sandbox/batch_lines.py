"""Runs the lines of a batch through a sandbox without a socket: the same routes, nobody who could leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from pennyworth.sandbox.ask import error_body
from pennyworth.sandbox.bill import Bill, BillLine

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


_VERSION = (b"anthropic-version", b"2023-06-01")


class Answered(NamedTuple):
    """``status`` 0: it broke before it was answered."""

    status: int
    body: bytes
    request_id: str = ""


class Runner:
    """``app``: the sandbox that answers, with prices of its own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def run(self, path: str, body: bytes, credential: str) -> Answered:
        parts: list[bytes] = []
        head: Message = {"status": 0, "headers": []}

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                parts.append(message.get("body", b""))

        peer = Nobody()
        headers = [(b"content-type", b"application/json"), (b"authorization", credential.encode("latin-1"))]
        headers += [(b"x-api-key", credential.removeprefix("Bearer ").encode("latin-1")), _VERSION]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await self._app({**scope, "state": {"peer": peer}}, receive, send)
        said = {name: value.decode("latin-1") for name, value in head["headers"]}
        request_id = said.get(b"x-request-id") or said.get(b"request-id", "")
        whole = len(said.get(b"content-length", "")) == 0 or int(said[b"content-length"]) == len(b"".join(parts))
        return self.broken() if peer.gone or not whole else Answered(head["status"], b"".join(parts), request_id)

    def broken(self) -> Answered:
        """A server error, which nobody is charged for."""
        return Answered(0, error_body("The server had an error while processing this line.", kind="server_error"))


class Nobody:
    """In the place of a ``Peer``: it never leaves by itself, and nothing is waited for. What breaks its connection or
    hangs breaks the line."""

    def __init__(self) -> None:
        self.gone = False

    async def wait(self, seconds: float | None = None) -> bool:
        self.gone = self.gone or seconds is None
        return not self.gone

    async def close(self) -> None:
        self.gone = True

    async def reset(self) -> None:
        self.gone = True


class HalfBill(Bill):
    """Writes its lines into another bill, as those of batches."""

    def __init__(self, bill: Bill, prices: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(halved(prices), 1)
        self._whole = bill

    @property
    def next_number(self) -> int:
        return self._whole.next_number

    def add(self, line: BillLine) -> None:
        self._whole.add(msgspec.structs.replace(line, batch=True))


def halved(prices: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {model: {kind: str(Fraction(usd) / 2) for kind, usd in price.items()} for model, price in prices.items()}
