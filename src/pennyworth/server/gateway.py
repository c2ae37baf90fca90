"""A whole gateway in the running event loop: workers, admin port and what lies under them, from open to closed.

``serve_alone`` is one process with everything in it, ``serve_fleet`` a parent with several worker processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from pennyworth.assemble import open_runtime
from pennyworth.clients import KeySet
from pennyworth.decide.keys import sealer
from pennyworth.engine.clock import SystemClock
from pennyworth.errors import ConfigError, StoreError
from pennyworth.forgetting import open_eraser
from pennyworth.plan import Plan
from pennyworth.server.admin import admin_server
from pennyworth.server.admin_books import BookReader
from pennyworth.server.admin_desk import Desk, Shared
from pennyworth.server.doors import Doors
from pennyworth.server.fleet import Fleet
from pennyworth.server.reload import Reloader, Reread
from pennyworth.server.worker import Stop, Worker
from pennyworth.server.workers import Alone, Workers
from pennyworth.state_dir import (
    Report,
    open_control,
    open_exchange,
    open_folder,
    open_keybook,
    open_keyring,
    open_ledger,
    open_quotas,
)
from pennyworth.view import Control

Ready = Callable[[Control, KeySet], None]
"""Called once, when everything is open and serves, with the control row and the virtual keys as they were found."""


async def serve_alone(
    plan: Plan, doors: Doors, report: Report, stop: Stop, ready: Ready, reread: Reread | None = None
) -> None:
    """Serves until ``stop``; returns when everything is drained and closed. ``reread``: how another Plan is had."""
    with _state_dir_trouble():
        runtime = open_runtime(plan, report)
    try:
        worker, parts = Worker(runtime, "w0"), runtime.parts
        shared = Shared(
            control=parts.control,
            keybook=parts.keybook,
            seal=sealer(parts.keyring),
            eraser=parts.eraser,
            quotas=parts.accounts,
            exchange=lambda currency, at_s: runtime.state.terms.rates.book.exchange(currency, at_s),
        )
        desk = Desk(plan, Alone(worker), shared, BookReader(parts.ledger, parts.folder), runtime.state.clock)
        reloader = Reloader(desk, reread, stop)
        async with admin_server(desk, reloader, doors.admin), reloader.following():
            ready(parts.control.read(), parts.keybook.read())
            await _warn_of_prices(desk.workers, report)
            await worker.serve(doors.public, stop)
    finally:
        await runtime.close()


async def serve_fleet(
    plan: Plan, doors: Doors, report: Report, stop: Stop, ready: Ready, reread: Reread | None = None
) -> None:
    """The same with ``plan.listen.workers`` processes of their own behind the public door."""
    with ExitStack() as opened:
        with _state_dir_trouble():
            ledger = opened.enter_context(closing(open_ledger(plan)))
            control = opened.enter_context(closing(open_control(plan)))
            keybook = opened.enter_context(closing(open_keybook(plan)))
            quotas = opened.enter_context(closing(open_quotas(plan, ledger)))
            keyring = open_keyring(plan)
        folder = opened.enter_context(closing(open_folder(plan, ledger, report)))
        eraser = open_eraser(plan, keyring, ledger, folder)
        shared = Shared(
            control=control,
            keybook=keybook,
            seal=sealer(keyring),
            eraser=eraser,
            quotas=quotas,
            exchange=lambda currency, at_s: open_exchange(desk.plan)(currency, at_s),
        )
        fleet = Fleet(plan, doors.public, report)
        desk = Desk(plan, fleet, shared, BookReader(ledger, folder), SystemClock())
        reloader = Reloader(desk, reread, stop)
        await fleet.start()
        try:
            async with admin_server(desk, reloader, doors.admin), reloader.following():
                ready(control.read(), keybook.read())
                await _warn_of_prices(fleet, report)
                await stop.asked.wait()
                await fleet.stop(stop)
        except BaseException:
            await fleet.stop(stop)
            raise


async def _warn_of_prices(workers: Workers, report: Report) -> None:
    warnings = (await workers.overview()).price_warnings
    if warnings:
        report("prices", "; ".join(warnings))


@contextmanager
def _state_dir_trouble() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        fix = "Make the directory writable for this user, or name another"
        raise ConfigError("state_dir", str(error), fix) from error
