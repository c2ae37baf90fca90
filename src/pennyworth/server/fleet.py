"""Several worker processes on one socket, and the parent that keeps them: starts, asks, restarts, drains.

The parent answers no caller. A worker that dies is started again, at once the first time and then ever later; what it
had counted stays in the sums, what it had booked is in its journal, which the other workers fold.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Sequence
from typing import Any

from pennyworth.assemble import Report
from pennyworth.engine.counters import Counters
from pennyworth.errors import ConfigError, RequestError
from pennyworth.plan import Plan
from pennyworth.server.fleet_channel import Link, SilentError, pack
from pennyworth.server.snapshot import InForce, Overview, Snapshot, merge, summed
from pennyworth.server.worker import Stop

_START_S = 30.0
_ANSWER_S = 0.7
_QUICK_ANSWER_S = 0.3
_PREPARE_S = 5.0
_LOOK_S = 1.0
"""How often the counters are asked for when nobody wants them: what a killed worker counted since is not in the sums."""

_WELL_S = 10.0
"""A worker that lived so long died of something else than its start, and is started again at once."""

_LONGEST_PAUSE_S = 30.0

_AFTER_DRAIN_S = 12.0
"""Beyond ``limits.drain_s`` a worker needs time to write error events and close its books."""


class _Place:
    """A worker's place: who fills it now, and what it last told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: Process | None = None
        self.link: Link | None = None
        self.last: Snapshot | None = None
        self.serving = False
        self.quick_deaths = 0

    @property
    def pause_s(self) -> float:
        """Before it is filled again: none after the first death, then ever longer."""
        return min(0.5 * 2 ** (self.quick_deaths - 2), _LONGEST_PAUSE_S) if self.quick_deaths > 1 else 0.0

    async def ask(self) -> bool:
        """Brings ``last`` up to date; whether the worker answered."""
        link = self.link
        if link is None:
            return False
        try:
            told = await link.ask("snapshot", _ANSWER_S)
        except SilentError:
            return False
        if link is self.link:
            self.last = told.snapshot
        return self.last is not None

    @property
    def gone(self) -> bool:
        return self.link is None or self.link.gone

    async def prepare(self, packed: bytes) -> None:
        """Raises ``ConfigError`` where it cannot go by this Plan, ``SilentError`` where it does not answer."""
        if self.link is None:
            raise SilentError("the worker is gone")
        (await self.link.ask("prepare", _PREPARE_S, packed)).check()

    async def adopt(self, digest: str) -> bool:
        """Puts in force what was prepared; whether it is, by now. A worker that hangs does it before anything else."""
        if self.link is None:
            return False
        try:
            return (await self.link.ask("adopt", _ANSWER_S)).plan == digest
        except SilentError:
            return False

    async def in_force(self) -> InForce | None:
        if self.link is None:
            return None
        try:
            return (await self.link.ask("in_force", _QUICK_ANSWER_S)).in_force
        except SilentError:
            return None


class Fleet:
    """The ``Workers`` of ``plan.listen.workers`` processes that accept on ``listener``.

    ``start`` returns when all of them serve, or raises; from then on ``stop`` must be called.
    """

    def __init__(self, plan: Plan, listener: socket.socket, report: Report) -> None:
        self._plan = plan
        self._packed = pack(plan)
        self._listener = listener
        self._report = report
        self._places = [_Place(f"w{number}") for number in range(plan.listen.workers)]
        self._gone = Counters()
        self._restarts = 0
        self._since_s = time.time()
        self._tasks: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Raises ``ConfigError`` if a worker cannot serve: all of them are ended then."""
        starts = await asyncio.gather(*(self._fill(place) for place in self._places), return_exceptions=True)
        failed = next((error for error in starts if error is not None), None)
        if failed is not None:
            self._listener.close()
            await self._end_all(0.0, asyncio.Event())
            raise failed
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep(place)) for place in self._places]
        self._tasks.append(loop.create_task(self._look()))

    async def overview(self) -> Overview:
        answered = await asyncio.gather(*(place.ask() for place in self._places))
        # Read only now that all have answered: a worker that died meanwhile is among the gone, not here as well.
        fresh = [place for place, answers in zip(self._places, answered, strict=True) if answers and place.last]
        silent = [place for place in self._places if place not in fresh]
        return merge(
            [place.last for place in fresh if place.last],
            since_s=self._since_s,
            silent=[place.name for place in silent],
            others=[self._gone, *(place.last.counters for place in silent if place.last)],
            restarts=self._restarts,
        )

    async def in_force(self) -> Sequence[InForce | None]:
        return await asyncio.gather(*(place.in_force() for place in self._places))

    async def adopt(self, plan: Plan) -> tuple[int, int]:
        packed = pack(plan)
        async with self._changing:  # no worker comes to serve meanwhile
            serving = [place for place in self._places if place.serving]
            await _prepare(serving, packed)
            # From here on there is no way back: a worker that is started gets the new one, whatever becomes of these.
            self._plan, self._packed = plan, packed
            adopted = await asyncio.gather(*(place.adopt(plan.digest) for place in serving))
        return sum(adopted), len(self._places)

    async def stop(self, stop: Stop) -> None:
        """Drains all workers: nothing new is accepted, what runs may end until the deadline. Hurried, it cuts short."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()  # the last copy closes with the last worker, and what waits to be accepted is refused
        await self._end_all(self._plan.limits.drain_s + _AFTER_DRAIN_S, stop.hurried)

    async def _fill(self, place: _Place) -> None:
        """Starts a worker in a place. Raises ``ConfigError`` if it does not come to serve."""
        ours, theirs = socket.socketpair()
        try:
            place.process = await self._spawn(place.name, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        place.link = await Link.open(ours)
        given = self._packed
        await self._hand_over(place.process, given)
        try:
            (await place.link.hello(_START_S)).check()
            await self._let_serve(place, given)
        except SilentError as error:
            raise ConfigError(
                "listen.workers", f"worker {place.name} does not start ({error})", "Its reason stands in the log above"
            ) from error

    async def _let_serve(self, place: _Place, given: bytes) -> None:
        """It counts among those that serve, by the Plan in force: another may have come while it started."""
        async with self._changing:
            if given is not self._packed:
                await place.prepare(self._packed)
                await place.adopt(self._plan.digest)
            place.serving = True

    async def _spawn(self, name: str, channel: socket.socket) -> Process:
        sockets = (self._listener.fileno(), channel.fileno())
        # -P: the directory it is started in is no place to import from. A session of its own: Ctrl-C in a terminal
        # reaches the supervisor alone, which then tells the workers.
        command = [sys.executable, "-P", "-m", "pennyworth.server.fleet_worker", name, *map(str, sockets)]
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, pass_fds=sockets, start_new_session=True)

    async def _hand_over(self, process: Process, packed: bytes) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone already; the missing hello tells
            process.stdin.write(packed)
            await process.stdin.drain()
        process.stdin.close()

    async def _keep(self, place: _Place) -> None:
        """For as long as the fleet runs: whenever the worker of a place has died, another one."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if place.process is not None:
                code = await place.process.wait()
                self._report("worker", f"{place.name} {_how(code)}; starting it again")
            self._bury(place, well=loop.time() - began > _WELL_S)
            await asyncio.sleep(place.pause_s)
            try:
                await self._fill(place)
            except (ConfigError, OSError) as error:
                self._report("worker", f"{place.name} cannot be started: {error}")
                await _kill(place.process)

    def _bury(self, place: _Place, *, well: bool) -> None:
        if place.last is not None:
            self._gone = summed([self._gone, place.last.counters])
        if place.link is not None:
            place.link.close()
        self._restarts += 1
        place.process, place.link, place.last, place.serving = None, None, None, False
        place.quick_deaths = 0 if well else min(place.quick_deaths + 1, 20)

    async def _look(self) -> None:
        while True:
            await asyncio.gather(*(place.ask() for place in self._places))
            await asyncio.sleep(_LOOK_S)

    async def _end_all(self, within_s: float, hurried: asyncio.Event) -> None:
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            _signal(process)
        await _first_of(within_s, _all_ended(running), hurried.wait())
        if hurried.is_set():
            for process in running:
                _signal(process)
            await _first_of(_AFTER_DRAIN_S, _all_ended(running))
        for process in running:
            await _kill(process)
        for place in self._places:
            if place.link is not None:
                place.link.close()


async def _prepare(places: Sequence[_Place], packed: bytes) -> None:
    """All of them or none: raises for the first that cannot. One that has died meanwhile gets the new one at its start."""
    results = await asyncio.gather(*(place.prepare(packed) for place in places), return_exceptions=True)
    for place, result in zip(places, results, strict=True):
        if isinstance(result, SilentError) and not place.gone:
            raise RequestError(
                f"Worker {place.name} does not answer, so nothing was changed. Try again in a few seconds.",
                status=503,
                code="worker_silent",
            ) from result
        if isinstance(result, BaseException) and not isinstance(result, SilentError):
            raise result


async def _all_ended(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(process.wait() for process in processes))


async def _first_of(within_s: float, *waits: Coroutine[Any, Any, object]) -> None:
    """Waits for the first of these, or so long."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _signal(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


async def _kill(process: Process | None) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
