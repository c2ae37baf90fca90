"""A provider whose streams stay open: one event every five seconds, until it is told to finish.

    .venv/bin/python -m benchmarks.held_provider

It prints its port. ``GET /finish`` ends every stream as streams end; ``GET /count``: how many are open.
"""

from __future__ import annotations

import asyncio
import resource

import uvloop

from benchmarks.upstream import LAST_CHUNK, STREAM_HEAD, events, http

EVERY_S = 5.0
_TURNS = 50
_ROLE, _WORD, *_, _END, _USAGE, _DONE = [b"%x\r\n%b\r\n" % (len(event), event) for event in events()]


class Held(asyncio.Protocol):
    """One connection, and its stream."""

    def __init__(self, everybody: set[Held]) -> None:
        self._everybody = everybody
        self._got = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._everybody.discard(self)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.startswith(b"GET /finish"):
            for one in list(self._everybody):
                one.finish()
            self._transport.write(http(b"0"))
        elif self._got.startswith(b"GET"):
            self._transport.write(http(b"%d" % len(self._everybody)))
        elif self._got.endswith(b"}"):
            self._everybody.add(self)
            self._transport.write(STREAM_HEAD + _ROLE + _WORD)
        else:
            return
        self._got = b""

    def word(self) -> None:
        self._transport.write(_WORD)

    def finish(self) -> None:
        self._everybody.discard(self)
        self._transport.write(_END + _USAGE + _DONE + LAST_CHUNK)


async def _speak(everybody: set[Held]) -> None:
    """A word to each every five seconds, evenly spread."""
    while True:
        all_of_them = list(everybody)
        for turn in range(_TURNS):
            for one in all_of_them[turn::_TURNS]:
                if one in everybody:
                    one.word()
            await asyncio.sleep(EVERY_S / _TURNS)


async def _main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    everybody: set[Held] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Held(everybody), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await _speak(everybody)


if __name__ == "__main__":
    uvloop.run(_main())
