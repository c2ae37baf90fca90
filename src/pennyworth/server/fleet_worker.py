"""``python -m pennyworth.server.fleet_worker NAME LISTENER CHANNEL``: one of several workers, started by the supervisor.

Its Plan comes on the standard input, its sockets are inherited. It ends, draining, when it is told to or when the
supervisor is gone.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from pennyworth.assemble import Report, Runtime, open_runtime
from pennyworth.config.digest import with_digest
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
    log = logs.open_log(plan.log_level, worker=name)
    logs.adopt_library_logs(log)
    try:
        runtime = _open(plan, name, logs.reporter(log))
    except ConfigError as error:
        refuse(channel, error)
        return 1
    try:
        await _serve(Worker(runtime, name), listener, channel, stop)
    finally:
        await runtime.close()
    return 0


def _open(plan: Plan, name: str, report: Report) -> Runtime:
    if with_digest(plan).digest != plan.digest:
        raise ConfigError(
            "plan", "it did not arrive as it was sent", "Start the gateway again; the installation changed."
        )
    try:
        return open_runtime(plan, report, worker=name)
    except StoreError as error:
        raise ConfigError(
            "state_dir", str(error), "Make the directory writable for this user, or name another"
        ) from error


async def _serve(worker: Worker, listener: socket.socket, channel: socket.socket, stop: Stop) -> None:
    async def answer_until_alone() -> None:
        await answer(channel, lambda ask: _tell(worker, ask))
        stop.asked.set()

    answering = asyncio.get_running_loop().create_task(answer_until_alone())
    await worker.serve(listener, stop)
    answering.cancel()


def _tell(worker: Worker, ask: Ask) -> Tell:
    snapshot = worker.snapshot() if ask.matter == "snapshot" else None
    return Tell(ask.number, in_force(worker.runtime), snapshot)


if __name__ == "__main__":
    sys.exit(main())
