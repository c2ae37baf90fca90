"""Callers, many at a time, each asking again as soon as it is answered (a closed loop): a process of its own.

    .venv/bin/python -m benchmarks.load            one job of JSON a line on standard input, one result a line back

Raw protocols on uvloop, so that 10,000 requests a second cost less than half a core. A reply is bad when its status
is not 200, its head lacks the job's ``mark``, or its body lacks its proper end.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from array import array
from collections.abc import Iterator

import msgspec
import uvloop

from benchmarks import wordings
from benchmarks.questions import body
from benchmarks.wordings import WORDINGS
from pennyworth.request import Dialect

CLIENT_KEY = "sk-bench-0a1b2c3d4e5f60718293a4b5c6d7e8f90"
_STRIDE = 7_919
"""A prime: what was asked one after the other is not kept one beside the other."""

_STALLED_S = 30.0
"""After the end of a job, callers who still wait for a reply are given up, and the reply is counted as bad."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask, for how long, how many at a time.

    Attributes:
        seconds, requests: it ends when the time or the number is reached; 0 = no such end.
        salt: makes this job's questions others than those of any other salt. ``fresh``: its new ones, others than
            those of the same salt with another.
        repeats: share of the requests that ask one of ``pool`` questions; the others ask what nobody asked. All of the
            pool come before one comes again, far from their neighbours in number; ``skip``: not from the first on.
        traced: no two requests of the job have the same bytes, though they may ask the same.
        streams: share of the requests that ask for a stream; ``paced``: for one that comes event by event.
        leaves: share of the streams that the caller leaves after their first bytes.
        mark: what must stand in each reply's head, such as ``; hit``.
        dialect: which dialect they speak. ``model``: whose, where not the dialect's own. ``items``: in each request.
    """

    port: int
    connections: int
    seconds: float = 0.0
    requests: int = 0
    salt: str = ""
    fresh: str = ""
    repeats: float = 0.0
    pool: int = 1
    skip: int = 0
    traced: bool = False
    streams: float = 0.0
    paced: bool = False
    leaves: float = 0.0
    mark: str = ""
    dialect: Dialect = "chat"
    model: str = ""
    items: int = 1


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``requests``: answered or left. ``first_bad``: how the first bad reply began."""

    requests: int
    bad: int
    left: int
    seconds: float
    p50_ms: float
    p99_ms: float
    first_bad: str = ""


class Ask(msgspec.Struct, frozen=True):
    """One request, written out."""

    wire: bytes
    stream: bool
    leave: bool


def asks(job: Job) -> Iterator[Ask]:
    """The requests of a job, in order; evenly mixed, without chance."""
    repeating, streaming, leaving = _Share(job.repeats), _Share(job.streams), _Share(job.leaves)
    asked, repeats = 0, job.skip
    while job.requests == 0 or asked < job.requests:
        asked += 1
        if repeating.next():
            question = f"{job.salt}-{repeats * _STRIDE % job.pool}"
            repeats += 1
        else:
            question = f"{job.salt}-{job.fresh}-new-{asked}"
        stream = streaming.next()
        trace = f"{job.fresh}{job.skip}-{asked}" if job.traced else ""
        yield Ask(_written(job, question, stream, trace), stream, stream and leaving.next())


def _written(job: Job, question: str, stream: bool, trace: str) -> bytes:
    if job.dialect == "chat" and not job.model:
        return wire(body(question, stream=stream, paced=job.paced and stream, trace=trace))
    said = wordings.body(job.dialect, question, model=job.model, stream=stream, items=job.items)
    return wire(said, WORDINGS[job.dialect].path)


def wire(content: bytes, path: str = WORDINGS["chat"].path) -> bytes:
    """The bytes of a request; ``path``: under ``/v1``."""
    return (
        b"POST /v1%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        % (path.encode(), CLIENT_KEY.encode(), len(content), content)
    )


class _Share:
    """Says yes to this share of its calls, evenly spread."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._due = 0.0

    def next(self) -> bool:
        self._due += self._share
        yes = self._due >= 1.0
        if yes:
            self._due -= 1.0
        return yes


class Crowd:
    """All callers of a job, and what they have seen."""

    def __init__(self, job: Job) -> None:
        self.mark = job.mark.encode()
        self.endings = (WORDINGS[job.dialect].ends, WORDINGS[job.dialect].stream_ends)
        self.asks = asks(job)
        self.took_s = array("d")
        self.bad = 0
        self.left = 0
        self.first_bad = ""
        self.until = time.perf_counter() + job.seconds if job.seconds else float("inf")
        self._job = job
        self._here = 0
        self._coming: set[asyncio.Task[None]] = set()
        self._nobody_left = asyncio.get_running_loop().create_future()

    async def run(self) -> Result:
        started = time.perf_counter()
        self._here = self._job.connections
        for _ in range(self._job.connections):
            await self.call()
        limit = self._job.seconds + _STALLED_S if self._job.seconds else None
        try:
            await asyncio.wait_for(self._nobody_left, limit)
        except TimeoutError:
            self.blame(b"no reply in time", self._here)
        seconds = time.perf_counter() - started
        return Result(
            requests=len(self.took_s) + self.left,
            bad=self.bad,
            left=self.left,
            seconds=seconds,
            p50_ms=_at(self.took_s, 50),
            p99_ms=_at(self.took_s, 99),
            first_bad=self.first_bad,
        )

    async def call(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: Caller(self), "127.0.0.1", self._job.port)

    def next(self) -> Ask | None:
        return next(self.asks, None) if time.perf_counter() < self.until else None

    def blame(self, reply: bytes, times: int = 1) -> None:
        self.bad += times
        self.first_bad = self.first_bad or reply[:300].decode("latin-1")

    def gone(self, again: bool) -> None:
        """A caller has hung up; another takes the place if there is more to ask."""
        if again:
            task = asyncio.get_running_loop().create_task(self.call())
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)
            return
        self._here -= 1
        if self._here == 0 and not self._nobody_left.done():
            self._nobody_left.set_result(None)


class Caller(asyncio.Protocol):
    """One connection: asks, reads the whole reply, asks again."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._ask: Ask | None = None
        self._got = b""
        self._began = 0.0
        self._again = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        ask = self._ask
        if ask is None:
            return
        self._got = got = self._got + data if self._got else data
        if ask.leave:
            self._crowd.left += 1
            self._hang_up(again=True)
        elif _is_whole(got):
            self._crowd.took_s.append(time.perf_counter() - self._began)
            if not _is_good(got, self._crowd.endings[ask.stream], self._crowd.mark):
                self._crowd.blame(got)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ask is not None:
            self._crowd.blame(b"the connection was closed: " + self._got)
            self._again = time.perf_counter() < self._crowd.until
        self._crowd.gone(self._again)

    def _next(self) -> None:
        self._got = b""
        self._ask = ask = self._crowd.next()
        if ask is None:
            self._hang_up(again=False)
        else:
            self._began = time.perf_counter()
            self._transport.write(ask.wire)

    def _hang_up(self, again: bool) -> None:
        self._ask = None
        self._again = again
        self._transport.close()


def _is_whole(got: bytes) -> bool:
    """Whether a reply is there to its end. Nobody pipelines, so what ends with the last chunk is one reply."""
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = got.find(b"content-length: ", 0, end)
    if at < 0:
        return got.endswith(b"0\r\n\r\n")
    return len(got) >= end + 4 + int(got[at + 16 : got.find(b"\r\n", at, end + 2)])


def _is_good(got: bytes, ending: bytes, mark: bytes) -> bool:
    end = got.find(b"\r\n\r\n")
    return got.startswith(b"HTTP/1.1 200 ") and got.find(ending, end) > 0 and (not mark or got.find(mark, 0, end) > 0)


def _at(took_s: array[float], percent: int) -> float:
    return statistics.quantiles(took_s, n=100)[percent - 1] * 1000 if len(took_s) > 1 else 0.0


async def _run(job: Job) -> Result:
    return await Crowd(job).run()


def main() -> None:
    for line in sys.stdin.buffer:
        result = uvloop.run(_run(msgspec.json.decode(line, type=Job)))
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
