"""Runs a batch: opens its files and an engine, asks, and ends both in order, also when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pennyworth.assemble import open_runtime
from pennyworth.batch.deadline import let_wait
from pennyworth.batch.desk import Desk
from pennyworth.batch.direct import ask_all
from pennyworth.batch.spool import Tally
from pennyworth.batch.work import Again, Work, open_work
from pennyworth.cli.batch_screen import Meter
from pennyworth.cli.exits import wrong_usage
from pennyworth.cli.screen import Screen
from pennyworth.decide.key import Keyring
from pennyworth.errors import RequestError
from pennyworth.plan import Plan
from pennyworth.request import Caller
from pennyworth.server.auth import Gatekeeper
from pennyworth.view import Tenants


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked on the command line. ``deadline_s``: 0 = all is asked directly. ``key``: the client key shown."""

    source: Path
    out: Path
    errors: Path | None
    concurrency: int
    patience_s: float
    deadline_s: float
    poll_s: float
    again: Again
    key: str
    key_env: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. ``halted``: told to stop before its end. ``took_s``: this run."""

    lines: int
    tally: Tally
    halted: bool
    took_s: float

    @property
    def unanswered(self) -> int:
        return self.lines - self.tally.troubles.get("", 0)


async def answer_all(plan: Plan, settings: Settings, screen: Screen) -> Done:
    """Raises ``BatchError``, ``ConfigError``; in a group where lines are asked at once."""
    began = asyncio.get_running_loop().time()
    with contextlib.closing(open_work(settings.source, settings.out, settings.errors)) as work:
        if renewed := work.ask_again(settings.again):
            screen.err.print(f"Asking {renewed:,} lines again.", style="dim")
        halted = await _work(plan, settings, work, screen) if work.left else False
        if not work.left:
            work.finish()
        tally = work.tally
        took_s = asyncio.get_running_loop().time() - began
        return Done(lines=len(work.source), tally=tally, halted=halted, took_s=took_s)


async def _work(plan: Plan, settings: Settings, work: Work, screen: Screen) -> bool:
    """Whether it was told to stop."""
    runtime = open_runtime(plan, lambda part, what: screen.warn(f"{part}: {what}"), worker="batch")
    try:
        keyring = runtime.parts.keyring
        caller = caller_of(plan, runtime.state.tenants, keyring, settings)
        runtime.start()
        desk = Desk(runtime.engine, keyring, caller, work.card.id, settings.patience_s)
        with _stopping(desk.halt), Meter(screen, len(work.source), work.spool.tally) as meter:
            await let_wait(
                work,
                desk,
                runtime,
                deadline_s=settings.deadline_s,
                poll_s=settings.poll_s,
                say=meter.say,
                warn=screen.warn,
                tell=meter.look,
            )
            await ask_all(work, desk, settings.concurrency, retry_unknown=settings.again.unknown, tell=meter.look)
        return desk.halt.is_set()
    finally:
        await runtime.close()


def caller_of(plan: Plan, tenants: Tenants, keyring: Keyring, settings: Settings) -> Caller:
    """On whose behalf: of the key that is shown, or of the operator where callers need none."""
    if not tenants.locked:
        return Caller("local")
    gatekeeper = Gatekeeper(plan, tenants, keyring)
    try:
        return gatekeeper.admit(f"Bearer {settings.key}" if settings.key else "")
    except RequestError as error:
        fix = f"Put a client key into {settings.key_env}: whose budget it is, and whose kept answers it may use."
        raise wrong_usage(error.message, fix) from error


@contextlib.contextmanager
def _stopping(halt: asyncio.Event) -> Iterator[None]:
    """The first signal lets what is under way end, so that nothing of it is lost; the second ends it."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None

    def stop() -> None:
        if halt.is_set():
            me.cancel()
        halt.set()

    for sig in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sig, stop)
    try:
        yield
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(sig)
