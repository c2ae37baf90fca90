"""The workers as the admin port sees them: one in this process, or many beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from pennyworth.plan import Plan
from pennyworth.server.snapshot import InForce, Overview, in_force, merge
from pennyworth.server.worker import Worker

CONFIRM_S = 1.0
_LOOK_AGAIN_S = 0.04


class Workers(Protocol):
    """Who serves. The first two take no longer than about a second, whatever a worker does.

    ``overview``: everything they counted. ``in_force``: what each of them goes by, ``None`` for one that does
    not answer.
    ``adopt``: another Plan for all of them: each makes ready for it, and only when all have, it is in force everywhere.
    Raises ``ConfigError`` when one cannot, ``RequestError`` when one does not answer; nothing has changed then. Returns
    how many of how many go by it already; the others will before they answer anything else.
    """

    async def overview(self) -> Overview: ...

    async def in_force(self) -> Sequence[InForce | None]: ...

    async def adopt(self, plan: Plan) -> tuple[int, int]: ...


class Alone:
    """``Workers`` where there is one, in this very process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._since_s = worker.runtime.state.clock.wall_s()

    async def overview(self) -> Overview:
        return merge([self._worker.snapshot()], since_s=self._since_s)

    async def in_force(self) -> Sequence[InForce | None]:
        return [in_force(self._worker.runtime)]

    async def adopt(self, plan: Plan) -> tuple[int, int]:
        self._worker.adopt(self._worker.prepare(plan))
        return 1, 1


async def confirm(workers: Workers, goes_by: Callable[[InForce], bool], within_s: float = CONFIRM_S) -> tuple[int, int]:
    """How many of how many workers go by a change, asked until all do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        seen = await workers.in_force()
        confirmed = sum(each is not None and goes_by(each) for each in seen)
        if confirmed == len(seen) or loop.time() >= deadline:
            return confirmed, len(seen)
        await asyncio.sleep(_LOOK_AGAIN_S)
