"""Goes through what is not answered: kept answers are given at once, what can wait goes into batches, the rest is left."""

from __future__ import annotations

import asyncio

from pennyworth.batch import answers, heard
from pennyworth.batch.api import BatchApi
from pennyworth.batch.desk import Desk
from pennyworth.batch.digests import Digests
from pennyworth.batch.groups import Group, GroupKey, key_of
from pennyworth.batch.lanes import Apis, Lanes
from pennyworth.batch.lines import Line, Problem
from pennyworth.batch.tide import Tide
from pennyworth.batch.work import Work
from pennyworth.engine.passage import Passage
from pennyworth.engine.waiting import Waiting
from pennyworth.errors import RequestError
from pennyworth.wire.shown_key import shown_key


class Sorting:
    """``run`` once."""

    def __init__(self, work: Work, desk: Desk, waiting: Waiting, lanes: Lanes, apis: Apis, tide: Tide) -> None:
        self._work = work
        self._desk = desk
        self._waiting = waiting
        self._lanes = lanes
        self._apis = apis
        self._tide = tide
        self._groups: dict[GroupKey, Group] = {}
        self._asked = Digests()

    async def run(self) -> None:
        await self._look_at_what_is_under_way()
        for entry in self._work.source.entries():
            if self._desk.halt.is_set():
                return
            if self._work.spool.may_wait(entry.number):
                await self._sort(entry)
        while self._groups and not self._desk.halt.is_set():
            await self._lanes.send(self._groups.popitem()[1])

    async def _look_at_what_is_under_way(self) -> None:
        """What another run handed in is asked already: its equals wait for it."""
        for number in range(len(self._work.source)):
            if self._work.spool.lane(number) is not None:
                line = self._work.source.entry(number)
                assert isinstance(line, Line)  # it was one when it was handed in, and the file is the same
                if (name := await self._waiting.name_of(self._desk.request_of(line))) is not None:
                    self._asked.add(name)
                await asyncio.sleep(0)

    async def _sort(self, entry: Line | Problem) -> None:
        if isinstance(entry, Problem):
            self._work.answer(entry.number, answers.of_problem(entry))
        else:
            await self._offer(entry)
        self._tide.tell()
        await asyncio.sleep(0)

    async def _offer(self, line: Line) -> None:
        try:
            request = self._desk.request_of(line)
        except RequestError as error:
            self._work.answer(line.number, answers.of_reply(line, self._desk.refused(line, error)))
            return
        given = await self._waiting.offer(request)
        if isinstance(given, Passage):
            if self._can_wait(given) and self._waiting.pay(given):
                await self._group(line.number, given)
            return
        told = heard.of_reply(given)
        if not told.later_s:  # a rate of ours, say, is nothing to a request that can wait
            self._work.answer(line.number, answers.of_reply(line, told))

    def _can_wait(self, p: Passage) -> bool:
        """Of equal questions the first one goes; the others find its answer when it is back."""
        provider = p.target.provider
        if not (provider.batch and self._waiting.allowed(p)):
            return False
        if provider.auth != "none" and shown_key(provider, p.request.caller) is None:
            return False
        return not p.verdict.share or p.exact is None or self._asked.add(p.exact)

    async def _group(self, number: int, p: Passage) -> None:
        key = key_of(p)
        group = self._groups.setdefault(key, Group(p.target, key.path))
        about, basis = self._waiting.about(p)
        group.add(number, p, about, unpriced=basis == "unpriced")
        api = self._api(p, key)
        if len(group.lines) >= api.most_lines or group.bytes >= api.most_bytes:
            await self._lanes.send(self._groups.pop(key))

    def _api(self, p: Passage, key: GroupKey) -> BatchApi:
        return self._apis(p.target.provider, key.path)
