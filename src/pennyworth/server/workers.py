"""The workers as the admin port sees them: one in this process, or many beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pennyworth.server.snapshot import Overview, merge
from pennyworth.server.worker import Worker

CONFIRM_S = 1.0
_LOOK_AGAIN_S = 0.04


class Workers(Protocol):
    """Who serves. Neither call takes longer than about a second, whatever a worker does.

    ``overview``: everything they counted. ``in_force``: the version of the control row each of them goes by, ``None``
    for one that does not answer.
    """

    async def overview(self) -> Overview: ...

    async def in_force(self) -> Sequence[int | None]: ...


class Alone:
    """``Workers`` where there is one, in this very process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._since_s = worker.runtime.state.clock.wall_s()

    async def overview(self) -> Overview:
        return merge([self._worker.snapshot()], since_s=self._since_s)

    async def in_force(self) -> Sequence[int | None]:
        return [self._worker.runtime.state.control.version]


async def confirm(workers: Workers, version: int, within_s: float = CONFIRM_S) -> tuple[int, int]:
    """How many of how many workers go by the control row of this version or a later one, asked until all do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        seen = await workers.in_force()
        confirmed = sum(each is not None and each >= version for each in seen)
        if confirmed == len(seen) or loop.time() >= deadline:
            return confirmed, len(seen)
        await asyncio.sleep(_LOOK_AGAIN_S)
