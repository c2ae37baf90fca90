"""Callers who come at a given rate whether or not those before them have been served: a process of its own.

    .venv/bin/python -m benchmarks.open_loop            one job of JSON a line on standard input, one result a line back

Every request asks what nobody asked before. What became of each is told one by one: when it came, its status, how long
it took since it came, the wait for a connection included, whether it was told when to come back.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque

import msgspec
import uvloop

from benchmarks.load import wire
from benchmarks.questions import body

_PATIENCE_S = 30.0
"""After the last has come. Where the kernel has dropped a connection from a full queue, no answer comes."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """``phases``: requests a second, and for how many seconds, one phase after the other."""

    port: int
    salt: str
    phases: list[tuple[float, float]]


class Met(msgspec.Struct, frozen=True, array_like=True):
    """What one request met with. ``at_s``: since the start. ``status`` 0: the connection broke, or no answer came."""

    at_s: float
    status: int
    took_ms: float
    come_back: bool
    fell_back: bool


class Loop:
    def __init__(self, course: Course) -> None:
        self.met: list[Met] = []
        self.idle: deque[Caller] = deque()
        self.waiting: set[float] = set()
        self._course = course
        self._began = time.perf_counter()
        self._over = asyncio.Event()
        self._dialling: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        return time.perf_counter() - self._began

    async def run(self) -> list[Met]:
        self._began = time.perf_counter()
        number, start = 0, 0.0
        for rate, seconds in self._course.phases:
            for turn in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, start + turn / rate - self.now))  # one that is late lets replies come too
                self._ask(f"{self._course.salt} {number}")
                number += 1
            start += seconds
        while self.waiting and self.now < start + _PATIENCE_S:
            self._over.clear()
            await asyncio.wait([asyncio.ensure_future(self._over.wait())], timeout=1.0)
        return self.met + [Met(at_s, 0, (self.now - at_s) * 1000, False, False) for at_s in self.waiting]

    def done(self, met: Met) -> None:
        self.waiting.discard(met.at_s)
        self.met.append(met)
        self._over.set()

    def _ask(self, question: str) -> None:
        request, now = wire(body(question)), self.now
        self.waiting.add(now)
        if self.idle:
            self.idle.pop().ask(request, now)
            return
        task = asyncio.get_running_loop().create_task(self._dial(request, now))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _dial(self, request: bytes, at_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, caller = await loop.create_connection(lambda: Caller(self), "127.0.0.1", self._course.port)
        except OSError:
            self.done(Met(at_s, 0, 0.0, False, False))
        else:
            caller.ask(request, at_s)


class Caller(asyncio.Protocol):
    """One connection, used again and again."""

    def __init__(self, crowd: Loop) -> None:
        self._crowd = crowd
        self._got = b""
        self._asked_s = 0.0
        self._asking = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def ask(self, request: bytes, at_s: float) -> None:
        self._got, self._asked_s, self._asking = b"", at_s, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        at = self._got.find(b"content-length: ", 0, end)
        if end < 0 or len(self._got) < end + 4 + int(self._got[at + 16 : self._got.find(b"\r\n", at)]):
            return
        head = self._got[:end]
        self._finish(
            int(head[9:12]), b"\r\nretry-after: " in head, b"x-pennyworth-model: " in head and b"spare/" in head
        )
        self._crowd.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._crowd.idle:
            self._crowd.idle.remove(self)
        if self._asking:
            self._finish(0, False, False)

    def _finish(self, status: int, come_back: bool, fell_back: bool) -> None:
        self._asking = False
        took_ms = (self._crowd.now - self._asked_s) * 1000
        self._crowd.done(Met(self._asked_s, status, took_ms, come_back, fell_back))


async def _run(course: Course) -> list[Met]:
    return await Loop(course).run()


def main() -> None:
    for line in sys.stdin.buffer:
        met = uvloop.run(_run(msgspec.json.decode(line, type=Course)))
        sys.stdout.buffer.write(msgspec.json.encode(met) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
