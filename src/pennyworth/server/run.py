"""``run`` serves a Plan until it is told to stop, with the sandbox where there is no provider, and says what it does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

from structlog.typing import FilteringBoundLogger

from pennyworth import __version__
from pennyworth.assemble import MEMORY
from pennyworth.clients import KeySet
from pennyworth.config import with_sandbox
from pennyworth.config.addresses import is_loopback
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan
from pennyworth.sandbox import SandboxServer
from pennyworth.server import logs
from pennyworth.server.doors import Doors, open_doors
from pennyworth.server.gateway import serve_alone, serve_fleet
from pennyworth.server.process import new_loop, spare_the_collector
from pennyworth.server.reload import Reread, Severity
from pennyworth.server.worker import Stop
from pennyworth.view import Control

Say = Callable[[str], None]


def run(plan: Plan, say: Say = print, reread: Callable[[], Plan] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then drains; 0 when that was done. A second signal cuts the draining short.

    ``say`` is given the lines a person wants to read once everything listens; the log goes to standard error. ``reread``
    is called on SIGHUP and when the admin port asks for it: the Plan as it is configured now, or ``ConfigError``.

    Raises:
        ConfigError: an address that cannot be listened on, a state directory that cannot be used.
    """
    if plan.listen.workers > 1 and plan.state_dir == MEMORY:
        problem = f"{plan.listen.workers} workers share nothing when everything is in memory"
        raise ConfigError("listen.workers", problem, "Name a state_dir, or use one worker.")
    level = logs.Level(plan.log_level)
    log = logs.open_log(level)
    with ExitStack() as opened:
        doors = opened.enter_context(closing(open_doors(plan)))
        logs.adopt_library_logs(log)
        if not plan.providers:
            sandbox = opened.enter_context(SandboxServer(process=True))
            plan = with_sandbox(plan, sandbox.base_url)
        spare_the_collector()
        with asyncio.Runner(loop_factory=new_loop()) as runner:
            runner.run(_until_signalled(plan, doors, log, say, _reread(reread, log, level)))
    return 0


def _reread(read: Callable[[], Plan] | None, log: FilteringBoundLogger, level: logs.Level) -> Reread | None:
    if read is None:
        return None

    def tell(severity: Severity, what: str) -> None:
        (log.info if severity == "info" else log.warning)(logs.scrubbed(what), part="reload")

    return Reread(read, tell, lambda plan: level.set(plan.log_level), asyncio.Event())


async def _until_signalled(
    plan: Plan, doors: Doors, log: FilteringBoundLogger, say: Say, reread: Reread | None
) -> None:
    def ready(control: Control, keys: KeySet) -> None:
        for line in lines(plan, doors, control, keys):
            say(line)

    stop = Stop()
    stop.on_signals()
    if reread is not None:
        hang_up = HangUp(stop, reread.wish)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
    serve = serve_alone if plan.listen.workers == 1 else serve_fleet
    await serve(plan, doors, logs.reporter(log), stop, ready, reread)


class HangUp:
    """What SIGHUP means: read the configuration again. From a terminal that is gone it means what it always has: end."""

    def __init__(self, stop: Stop, reload: asyncio.Event) -> None:
        self._stop = stop
        self._reload = reload
        self._in_terminal = os.isatty(0)

    def __call__(self) -> None:
        if self._in_terminal and not os.isatty(0):
            self._stop()
        else:
            self._reload.set()


def lines(plan: Plan, doors: Doors, control: Control, keys: KeySet) -> Iterator[str]:
    """What a person wants to know of a gateway that has just started."""
    workers = f"{plan.listen.workers} worker{'s' if plan.listen.workers > 1 else ''}"
    about = f"{workers}, state in {plan.state_dir}, plan {plan.digest}"
    yield f"Pennyworth {__version__} listens on {doors.public_url}/v1 ({about})"
    yield f"Admin port: {doors.admin_url} ({'with the admin key' if plan.admin_key else 'no key, this machine only'})"
    if keys.keys:
        yield f"Callers need a key: {len(plan.keys)} configured, {len(keys.keys)} virtual (pennyworth keys list)."
    elif not plan.keys and plan.allow_anonymous:
        reach = "this machine only" if is_loopback(plan.listen.host) else "anybody who can reach it"
        yield f"No client key is configured: it serves {reach}."
    if not plan.enabled:
        yield "Optimisations are off (enabled = false): a plain proxy that writes receipts."
    elif not control.enabled:
        yield "Optimisations are off: the kill switch was thrown on the admin port, and stays so until it is taken back."
    if plan.providers and all(provider.simulated for provider in plan.providers):
        locked = bool(plan.keys or keys.keys)
        yield f"No provider is configured: the sandbox answers, a simulator. Try: {curl(doors, locked=locked)}"


def curl(doors: Doors, *, locked: bool) -> str:
    """A line that works in a shell, at once or with a client key in ``PENNYWORTH_KEY``."""
    key = ' -H "Authorization: Bearer $PENNYWORTH_KEY"' if locked else ""
    question = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}'
    return f"curl {doors.public_url}/v1/chat/completions -H 'Content-Type: application/json'{key} -d '{question}'"
