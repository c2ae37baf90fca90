"""Callers who hold one stream each, from several addresses of this machine, since one has only so many ports.

    .venv/bin/python -m benchmarks.held_callers PORT STREAMS DIALECT

Whatever they speak, they ask for a model of the provider who speaks chat completions. It prints one line of JSON when every stream has begun, and one when every stream has ended.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import msgspec
import uvloop

from benchmarks import wordings
from benchmarks.load import wire
from benchmarks.questions import MODEL
from benchmarks.wordings import WORDINGS
from pennyworth.request import Dialect

_ADDRESSES = [f"127.0.0.{last}" for last in range(2, 10)]
_AT_ONCE = 100
_PATIENCE_S = 300.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """``begun``: their first word has come. ``ended``: whole, up to their last event. ``dropped``: closed or refused."""

    begun: int
    ended: int
    dropped: int
    seconds: float
    first_bad: str = ""


class Holders:
    def __init__(self, asking: str, dialect: Dialect) -> None:
        self.asking = asking
        self.dialect = dialect
        self.end = WORDINGS[dialect].stream_ends
        self.begun = 0
        self.ended = 0
        self.dropped = 0
        self.first_bad = ""
        self.moved = asyncio.Event()
        self._since = time.perf_counter()

    def told(self) -> Told:
        seconds = time.perf_counter() - self._since
        return Told(begun=self.begun, ended=self.ended, dropped=self.dropped, seconds=seconds, first_bad=self.first_bad)


class Holder(asyncio.Protocol):
    """One stream. Only its last bytes are kept."""

    def __init__(self, everybody: Holders, number: int) -> None:
        self._everybody = everybody
        self._number = number
        self._tail = b""
        self._begun = False
        self._ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        everybody = self._everybody
        asked = f"{everybody.asking} {self._number}"
        said = wordings.body(everybody.dialect, asked, model=MODEL, stream=True)
        transport.write(wire(said, WORDINGS[everybody.dialect].path))

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-600:]
        if not self._begun and b"word0" in self._tail:
            self._begun = True
            self._everybody.begun += 1
        elif not self._ended and self._everybody.end in self._tail:
            self._ended = True
            self._everybody.ended += 1
            self._transport.close()
        self._everybody.moved.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended:
            self._everybody.dropped += 1
            self._everybody.first_bad = self._everybody.first_bad or f"{exc!r} {self._tail.decode('latin-1')}"
        self._everybody.moved.set()


async def _main(port: int, streams: int, dialect: Dialect) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    everybody, loop = Holders(f"{streams} at once", dialect), asyncio.get_running_loop()
    for number in range(streams):
        source = (_ADDRESSES[number % len(_ADDRESSES)], 0)
        await loop.create_connection(
            lambda number=number: Holder(everybody, number),  # type: ignore[misc]
            "127.0.0.1",
            port,
            local_addr=source,
        )
        while number - everybody.begun - everybody.dropped > _AT_ONCE:
            everybody.moved.clear()
            await asyncio.wait_for(everybody.moved.wait(), _PATIENCE_S)
    await _until(everybody, lambda: everybody.begun + everybody.dropped >= streams)
    await _until(everybody, lambda: everybody.ended + everybody.dropped >= streams)


async def _until(everybody: Holders, come: object) -> None:
    while not come():  # type: ignore[operator]
        everybody.moved.clear()
        await asyncio.wait_for(everybody.moved.wait(), _PATIENCE_S)
    sys.stdout.buffer.write(msgspec.json.encode(everybody.told()) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))  # type: ignore[arg-type]
