"""A provider with a service time, room for so many calls at once, and moods that change when it is told.

    .venv/bin/python -m benchmarks.moody_provider [--takes S] [--room N]

It prints its port. ``GET /mood/NAME`` changes its mood; ``GET /count`` says how many calls it has had in all. Beyond its
room it answers 429 with ``Retry-After: 1``, as providers do.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import uvloop

from benchmarks.upstream import completion, error, http

_FLAP_S = 1.0

MOODS = ("well", "down", "silent", "flapping", "closing")
"""``down``: 503 at once. ``silent``: no answer, ever. ``flapping``: a second down, a second well. ``closing``: hangs up."""


class House:
    """What all its connections have in common."""

    def __init__(self, takes_s: float, room: int) -> None:
        self.takes_s = takes_s
        self.room = room
        self.mood = "well"
        self.since = 0.0
        self.under_way = 0
        self.count = 0

    @property
    def now(self) -> str:
        if self.mood != "flapping":
            return self.mood
        return "down" if int((time.monotonic() - self.since) / _FLAP_S) % 2 == 0 else "well"


class Moody(asyncio.Protocol):
    """One connection; callers do not pipeline."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._got = b""
        self._serving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if not blank or len(body) < length:
            return
        self._got = b""
        if head.startswith(b"GET "):
            self._transport.write(http(self._told(head.split(b" ")[1].decode()).encode()))
        else:
            self._house.count += 1
            self._answer(self._house.now)

    def _told(self, path: str) -> str:
        house = self._house
        if path.startswith("/mood/"):
            house.mood, house.since = path.removeprefix("/mood/"), time.monotonic()
        return str(house.count)

    def _answer(self, mood: str) -> None:
        house = self._house
        if mood == "closing":
            self._transport.abort()
        elif mood == "down":
            self._transport.write(_DOWN)
        elif mood == "well" and house.room and house.under_way >= house.room:
            self._transport.write(_FULL)
        elif mood == "well":
            self._serving = True
            house.under_way += 1
            asyncio.get_running_loop().call_later(house.takes_s, self._served)

    def _served(self) -> None:
        if self._serving:
            self._leave()
            self._transport.write(_WELL)

    def _leave(self) -> None:
        if self._serving:
            self._serving = False
            self._house.under_way -= 1


_WELL = http(completion())
_DOWN = error(503, "the model is overloaded")
_FULL = error(429, "rate limit reached", b"Retry-After: 1\r\n")


async def _main(house: House) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Moody(house), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benchmarks.moody_provider")
    options.add_argument("--takes", type=float, default=0.1, help="seconds a call")
    options.add_argument("--room", type=int, default=0, help="calls at once; 0 = any number")
    chosen = options.parse_args()
    uvloop.run(_main(House(chosen.takes, chosen.room)))
