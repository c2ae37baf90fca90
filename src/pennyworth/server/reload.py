"""Another configuration while it runs: read whole, refused whole or in force everywhere, and said in words.

Asked for by SIGHUP and on the admin port. Everything that can be refused is refused before anything is changed; what is
under way keeps the Plan it began with.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Literal

import msgspec

from pennyworth.config import Change, ConfigErrors, changes, needs_restart, with_sandbox
from pennyworth.errors import ConfigError, PennyworthError, RequestError
from pennyworth.plan import Plan
from pennyworth.server.admin_desk import Desk
from pennyworth.server.worker import Stop

Severity = Literal["info", "warning"]


class Reread(msgspec.Struct, frozen=True):
    """What a gateway needs to be given another configuration.

    Attributes:
        read: the configuration as it stands now; raises ``ConfigError``. It may wait for a disk.
        tell: one log line, and how grave it is. ``adopted``: called with each Plan that has come into force.
        wish: set by who wants a reload and waits for no answer.
    """

    read: Callable[[], Plan]
    tell: Callable[[Severity, str], None]
    adopted: Callable[[Plan], None]
    wish: asyncio.Event


class Reloaded(msgspec.Struct, frozen=True):
    """A Plan that has come into force, and in how many of how many workers so far."""

    plan: str
    before: str
    changes: tuple[Change, ...]
    confirmed: int
    workers: int


class History(msgspec.Struct):
    """How reloads ended. ``applied_s``: when one last succeeded, the start included (wall clock)."""

    applied_s: float
    applied: int = 0
    refused: int = 0


class Reloader:
    """One reload at a time, over all workers. The desk's Plan is the one in force."""

    def __init__(self, desk: Desk, reread: Reread | None, stop: Stop) -> None:
        self.history = History(desk.clock.wall_s())
        self._desk = desk
        self._reread = reread
        self._stop = stop
        self._one_at_a_time = asyncio.Lock()
        self._running: set[asyncio.Task[Reloaded]] = set()

    async def reload(self) -> Reloaded:
        """Reads the configuration and puts it in force.

        Raises:
            ConfigErrors: every reason why it is refused. RequestError: now is not the time. Nothing has changed then.
        """
        # A task of its own: who asked may hang up in the middle, and half of the workers must not be left behind.
        task = asyncio.get_running_loop().create_task(self._once())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Reloads when that is wished, until the block ends. Wishes that come during a reload are one wish."""
        task = asyncio.get_running_loop().create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()

    async def _once(self) -> Reloaded:
        async with self._one_at_a_time:
            try:
                reloaded = await self._reload()
            except PennyworthError as error:
                self.history.refused += 1
                self._tell_refusal(error)
                raise
            self.history.applied += 1
            self.history.applied_s = self._desk.clock.wall_s()
            self._tell("info", _in_words(reloaded))
            return reloaded

    async def _reload(self) -> Reloaded:
        if self._reread is None:
            raise _NO_SOURCE
        if self._stop.asked.is_set():
            raise _GOING_DOWN
        old = self._desk.plan
        new = _complete(await asyncio.to_thread(self._reread.read), old)
        if refused := needs_restart(old, new):
            raise ConfigErrors(refused)
        try:
            confirmed, workers = await self._desk.workers.adopt(new)
        except ConfigError as error:
            raise ConfigErrors([error]) from error
        self._desk.plan = new
        self._reread.adopted(new)
        return Reloaded(new.digest, old.digest, tuple(changes(old, new)), confirmed, workers)

    async def _follow(self) -> None:
        wish = self._reread.wish if self._reread else asyncio.Event()
        while True:
            await wish.wait()
            wish.clear()
            with contextlib.suppress(PennyworthError):  # told in the log
                await self.reload()

    def _tell(self, severity: Severity, what: str) -> None:
        if self._reread is not None:
            self._reread.tell(severity, what)

    def _tell_refusal(self, error: PennyworthError) -> None:
        reasons = error.errors if isinstance(error, ConfigErrors) else [error]
        for reason in reasons:
            self._tell("warning", f"refused, the old configuration stays: {reason}")


_NO_SOURCE = RequestError(
    "This gateway was given its configuration by the program around it: there is no file to read again.",
    status=409,
    code="no_configuration_file",
)
_GOING_DOWN = RequestError(
    "The gateway is shutting down. The next one reads the configuration at its start.",
    status=409,
    code="shutting_down",
)


def _complete(new: Plan, old: Plan) -> Plan:
    """With the simulator that runs beside the gateway, where there is no provider to ask."""
    if new.providers:
        return new
    simulator = next((provider for provider in old.providers if provider.simulated), None)
    if simulator is None:
        problem = "no provider is configured any more, and the simulator is started with the gateway only"
        raise ConfigErrors([ConfigError("providers", problem, "Configure a provider, or restart the gateway.")])
    return with_sandbox(new, simulator.base_url)


def _in_words(reloaded: Reloaded) -> str:
    what = "; ".join(map(str, reloaded.changes)) or "nothing in it is different"
    missing = reloaded.workers - reloaded.confirmed
    late = f"; {missing} of {reloaded.workers} workers have not confirmed it yet" if missing else ""
    return f"plan {reloaded.before} → {reloaded.plan}{late}: {what}"
