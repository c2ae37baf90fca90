"""``python -m pennyworth.server.fleet_worker NAME LISTENER CHANNEL``: one of several workers, started by the supervisor.

Its Plan comes on the standard input, its sockets are inherited. It ends, draining, when it is told to or when the
supervisor is gone.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

from pennyworth.assemble import Report, Runtime, open_runtime
from pennyworth.config.digest import with_digest
from pennyworth.engine.terms import Terms
from pennyworth.errors import ConfigError, StoreError
from pennyworth.plan import Plan
from pennyworth.server import logs
from pennyworth.server.fleet_channel import Ask, Tell, answer, refuse, unpack
from pennyworth.server.process import new_loop, spare_the_collector
from pennyworth.server.snapshot import in_force
from pennyworth.server.worker import Stop, Worker


def main() -> int:
    name, listener_fd, channel_fd = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    plan = unpack(sys.stdin.buffer.read())
    listener = socket.socket(fileno=listener_fd)
    channel = socket.socket(fileno=channel_fd)
    spare_the_collector()
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_work(plan, name, listener, channel))


async def _work(plan: Plan, name: str, listener: socket.socket, channel: socket.socket) -> int:
    stop = Stop()
    stop.on_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor's business, whoever sends it here
    level = logs.Level(plan.log_level)
    log = logs.open_log(level, worker=name)
    logs.adopt_library_logs(log)
    try:
        runtime = _open(plan, name, logs.reporter(log))
    except ConfigError as error:
        refuse(channel, error)
        return 1
    try:
        await _serve(_Told(Worker(runtime, name), level), listener, channel, stop)
    finally:
        await runtime.close()
    return 0


def _open(plan: Plan, name: str, report: Report) -> Runtime:
    _check_digest(plan)
    try:
        return open_runtime(plan, report, worker=name)
    except StoreError as error:
        raise ConfigError(
            "state_dir", str(error), "Make the directory writable for this user, or name another"
        ) from error


def _check_digest(plan: Plan) -> None:
    if with_digest(plan).digest != plan.digest:
        raise ConfigError(
            "plan", "it did not arrive as it was sent", "Start the gateway again; the installation changed."
        )


class _Told:
    """A worker as the supervisor speaks to it."""

    def __init__(self, worker: Worker, level: logs.Level) -> None:
        self.worker = worker
        self._level = level
        self._prepared: Terms | None = None

    def answer(self, ask: Ask) -> Tell:
        worker, trouble = self.worker, None
        try:
            self._do(ask)
        except ConfigError as error:
            trouble = (error.key, error.problem, error.fix)
        except Exception as error:  # the edge: a defect in making ready must not end the channel, and so the worker
            worker.runtime.state.defect("reload", error)
            trouble = ("plan", f"a worker failed to make ready for it ({type(error).__name__})", "See its log.")
        snapshot = worker.snapshot() if ask.matter == "snapshot" else None
        plan = worker.runtime.state.plan.digest
        return Tell(ask.number, in_force(worker.runtime), snapshot, plan, trouble)

    def _do(self, ask: Ask) -> None:
        if ask.matter == "prepare":
            self._prepared = None
            plan = unpack(ask.plan)
            _check_digest(plan)
            self._prepared = self.worker.prepare(plan)
        elif ask.matter == "adopt" and self._prepared is not None:
            terms, self._prepared = self._prepared, None
            self.worker.adopt(terms)
            self._level.set(terms.plan.log_level)


async def _serve(told: _Told, listener: socket.socket, channel: socket.socket, stop: Stop) -> None:
    async def answer_until_alone() -> None:
        await answer(channel, told.answer)
        stop.asked.set()

    answering = asyncio.get_running_loop().create_task(answer_until_alone())
    await told.worker.serve(listener, stop)
    answering.cancel()


if __name__ == "__main__":
    sys.exit(main())
