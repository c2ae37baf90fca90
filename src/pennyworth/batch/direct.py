"""Asks for every line that has no answer yet, so many at a time, in the order of the file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from pennyworth.batch import answers
from pennyworth.batch.desk import Desk, HaltedError
from pennyworth.batch.lines import Line, Problem
from pennyworth.batch.work import Work


async def ask_all(work: Work, desk: Desk, concurrency: int, *, retry_unknown: bool, tell: Callable[[], None]) -> None:
    """Returns when each line has its answer, or none is to be begun any more. ``tell``: called after each."""
    waiting = _open(work, desk)

    async def ask() -> None:
        for line in waiting:
            if isinstance(line, Problem):
                work.answer(line.number, answers.of_problem(line))
            else:
                again = _renew(work, line.number) if retry_unknown else None
                work.spool.directly(line.number)
                try:
                    work.answer(line.number, await desk.ask(line, work.spool.round(line.number), again))
                except HaltedError:
                    return
            tell()
            await asyncio.sleep(0)  # kept answers do not suspend: others must have their turn

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, work.left)):
            group.create_task(ask())


def _open(work: Work, desk: Desk) -> Iterator[Line | Problem]:
    """What is not answered, and is in no batch of a provider's."""
    for entry in work.source.entries():
        if desk.halt.is_set():
            return
        if not work.spool.answered(entry.number) and work.spool.lane(entry.number) is None:
            yield entry


def _renew(work: Work, line: int) -> Callable[[], int]:
    def renew() -> int:
        work.spool.again([line], anew=True)
        return work.spool.round(line)

    return renew
