"""A simulated application: asks, waits, reads slowly, leaves, comes back. One connection, one request after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import httptools

from pennyworth.simulation.hearing import hear
from pennyworth.simulation.hearing_messages import hear_message
from pennyworth.simulation.hearing_responses import hear_response
from pennyworth.simulation.history import Asked, Heard, History
from pennyworth.simulation.network import Network
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wire import End
from pennyworth.simulation.wishes import Wish

GATEWAY = "gateway.sim"
PATIENCE_S = 400.0
_PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
_AGAIN = frozenset((408, 409, 429, 500, 502, 503, 504, 529))


class ClientLine(asyncio.Protocol):
    """One connection to the gateway, and the reply under way on it. ``closes``: the last reply said that nothing is
    answered after it."""

    def __init__(self, chance: Random) -> None:
        self.end: End
        self.gone = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.whole = False
        self.closes = False
        self.slow = False
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """RFC 9112 §9.6: after ``Connection: close`` nothing more is asked, whether the end has been seen yet or not."""
        return not (self.closes or self.gone or self.end.is_closing() or self.end.got_fin)

    def ask(self, data: bytes, *, slow: bool) -> asyncio.Future[None]:
        """Writes a request; the future is done when the reply has come, or never will."""
        self.status, self.headers, self.body, self.whole, self.slow = 0, {}, [], False, slow
        self._parser = httptools.HttpResponseParser(self)
        self._waiter = self._loop.create_future()
        self.end.write(data)
        return self._waiter

    def connection_made(self, transport: Any) -> None:
        self.end = transport

    def data_received(self, data: bytes) -> None:
        if self._parser is not None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError:
                self.end.abort()
        if self.slow and self._chance.random() < 0.5:
            self.end.pause_reading()
            self._loop.call_later(self._chance.random(), self.end.resume_reading)

    def eof_received(self) -> bool:
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        self.whole = True
        self.closes = not self._parser.should_keep_alive()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Client:
    """Works its way through wishes until there are none left."""

    def __init__(
        self,
        network: Network,
        weather: Weather,
        history: History,
        wall_s: Callable[[], float],
        gateway: Callable[[], str],
    ) -> None:
        """``gateway``: which process serves at present."""
        self._network = network
        self._weather = weather
        self._chance = weather.chance
        self._history = history
        self._wall_s = wall_s
        self._gateway = gateway
        self._loop = asyncio.get_running_loop()
        self._line: ClientLine | None = None

    async def work(self, next_wish: Callable[[], Wish | None]) -> None:
        while (wish := next_wish()) is not None:
            if self._chance.random() < 0.6:
                await asyncio.sleep(self._chance.random() ** 2 * 0.4)
            asked = await self._ask(wish)
            if asked is not None and asked.status in _AGAIN:
                await asyncio.sleep(0.1 + self._chance.random())
        if self._line is not None:
            self._line.end.close()

    async def _ask(self, wish: Wish) -> Asked | None:
        line = await self._connected()
        if line is None:
            await asyncio.sleep(0.5)
            return None
        asked = Asked(wish=wish, sent_s=self._loop.time(), sent_wall_s=self._wall_s(), process=self._gateway())
        self._history.asks(asked)
        data = _head(wish) + wish.body
        before = line.end.delivered
        if wish.half:
            data = data[: self._chance.randrange(1, len(data))]
        done = line.ask(data, slow=wish.slow)
        await self._until(done, wish, asked, line)
        self._judge(asked, line, reached=line.end.delivered - before, whole=len(data) if not wish.half else 1 << 60)
        self._history.ends(asked)
        if wish.half or not (asked.whole and line.usable):  # behind half a body, a request would be its other half
            line.end.abort()
            self._line = None
        return asked

    async def _connected(self) -> ClientLine | None:
        if self._line is not None and self._line.usable and self._chance.random() < 0.97:
            return self._line
        if self._line is not None:
            self._line.end.close()
        self._line = None
        line = ClientLine(self._chance)
        try:
            async with asyncio.timeout(3.0):
                await self._network.connect(GATEWAY, line, self._weather)
        except OSError:
            return None
        self._line = line
        return line

    async def _until(self, done: asyncio.Future[None], wish: Wish, asked: Asked, line: ClientLine) -> None:
        """The reply's end, or the client's patience, whichever is first."""
        leaves = wish.leaves_after_s if wish.leaves_after_s >= 0 else 0.05 if wish.half else PATIENCE_S
        timer = self._loop.call_later(leaves, done.cancel)
        try:
            await done
        except asyncio.CancelledError:
            asked.left = leaves < PATIENCE_S
            asked.given_up = not asked.left
            if self._chance.random() < 0.5:
                line.end.close()
            else:
                line.end.abort()
        finally:
            timer.cancel()

    def _judge(self, asked: Asked, line: ClientLine, *, reached: int, whole: int) -> None:
        asked.ended_s = self._loop.time()
        asked.status = line.status
        asked.headers = line.headers
        asked.receipt = line.headers.get("x-pennyworth-receipt", "")
        asked.whole = line.whole
        asked.reached, asked.handed_over = reached > 0, reached >= whole
        asked.alive = self._gateway() == asked.process
        if line.status == 200:
            events = line.headers.get("content-type", "").startswith("text/event-stream")
            body = b"".join(line.body)
            if asked.wish.door == "messages":
                asked.heard = hear_message(body, events=events, whole=line.whole)
            elif asked.wish.door == "responses":
                asked.heard = hear_response(body, events=events, whole=line.whole)
            else:
                choices = asked.wish.question.wordings[0].get("n", 1)
                asked.heard = hear(body, events=events, whole=line.whole, choices=choices)
        else:
            asked.heard = Heard(error=str(line.status))


def _head(wish: Wish) -> bytes:
    lines = [
        f"POST {_PATHS[wish.door]} HTTP/1.1",
        f"host: {GATEWAY}",
        f"authorization: Bearer {wish.tenant.credential}",
        "content-type: application/json",
        f"content-length: {len(wish.body)}",
    ]
    if wish.directive:
        lines.append(f"cache-control: {wish.directive}")
    if wish.tag:
        lines.append(f"x-pennyworth-tags: {wish.tag}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
