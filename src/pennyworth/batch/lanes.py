"""What can wait goes through providers' batch APIs: handed in, waited for, and what came back put where it belongs.

Before a batch is handed in it stands on the card, with an intent in the journal; its lines are in the spool as its own.
So whatever ends this process, the next one finds the batch again instead of handing it in twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pennyworth.batch import answers, heard
from pennyworth.batch.api import BatchApi, LaterError, Result
from pennyworth.batch.card import Lane, State
from pennyworth.batch.desk import Desk
from pennyworth.batch.errors import BatchError, RefusedError
from pennyworth.batch.groups import Group
from pennyworth.batch.lines import Line, Problem
from pennyworth.batch.tide import Tide
from pennyworth.batch.work import Work
from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Passage
from pennyworth.engine.waiting import Waiting, call_of
from pennyworth.errors import UpstreamError
from pennyworth.plan import Provider

Apis = Callable[[Provider, str], BatchApi]
"""By provider and path."""


class Lanes:
    """The batches at providers of one batch of ours.

    ``held``: the passages of lines that have money set aside, while they are under way.
    """

    def __init__(self, work: Work, desk: Desk, waiting: Waiting, apis: Apis, tide: Tide) -> None:
        self._work = work
        self._desk = desk
        self._waiting = waiting
        self._apis = apis
        self._tide = tide
        self.held: dict[int, Passage] = {}

    @property
    def open(self) -> list[Lane]:
        """Those that have not brought everything yet."""
        return [lane for lane in self._work.card.lanes if lane.state in ("begun", "sent")]

    async def recover(self) -> None:
        """What another run left: batches that were perhaps handed in are looked for, and handed in if they are not there."""
        known = {lane.number for lane in self.open}
        lines = range(len(self._work.source))
        lost = [line for line in lines if (number := self._work.spool.lane(line)) is not None and number not in known]
        self._work.spool.again(lost, anew=False)
        for lane in self.open:
            if lane.state == "begun":
                await self._tide.until(min(lane.begun_s, self._tide.now_s()) + self._tide.poll_s)
                await self._hand_in(lane, perhaps_there=True)

    async def send(self, group: Group) -> None:
        """Hands a group in as one batch."""
        number = 1 + max((lane.number for lane in self._work.card.lanes), default=0)
        tag = f"pw{self._work.card.id}-{number}"
        lane = group.lane(number, tag, self._tide.now_s())
        for line, passage in group.held.items():
            passage.id = lane.receipt_of(line)
            self.held[line] = passage
        self._work.spool.into_lane(list(group.lines), number)
        self._work.keep.lane(lane)
        self._waiting.acknowledge(group.intent(lane, self._desk.caller))
        await self._hand_in(lane, perhaps_there=False)

    async def collect(self) -> None:
        """Waits until all have ended, calls off what the deadline overtakes, and lands what they bring."""
        called_off: set[int] = set()
        while self.open and not self._desk.halt.is_set():
            done = 0
            for lane in self.open:
                try:
                    done += await self._visit(lane, called_off)
                except (UpstreamError, LaterError) as error:
                    self._tide.warn(str(error))
            if self.open:
                self._tide.say(f"{done:,} of {sum(lane.lines for lane in self.open):,} done at providers")
                await self._tide.pause()

    async def _visit(self, lane: Lane, called_off: set[int]) -> int:
        """How many of its requests are done."""
        if lane.state == "begun":
            await self._hand_in(lane, perhaps_there=True)
            return 0
        api = self._api(lane)
        progress = await api.look(lane.id)
        if progress.problem:
            self._tide.warn(f"{lane.provider}: {progress.problem}. Its lines are asked directly.")
        if progress.ended:
            await self._land(lane, api, progress.done)
            return 0
        if self._tide.is_late() and lane.number not in called_off:
            await self._call_off(lane, api)
            called_off.add(lane.number)
        return progress.done

    async def _call_off(self, lane: Lane, api: BatchApi) -> None:
        """One that is just ending cannot be called off any more, and is waited for."""
        try:
            await api.cancel(lane.id)
        except RefusedError as error:
            self._tide.warn(error.problem)

    async def _hand_in(self, lane: Lane, *, perhaps_there: bool) -> None:
        """Until it is taken or refused, or the deadline is near and it is certain that it is not there. Who may not look
        for it stops here: nobody knows whether it was taken."""
        api = self._api(lane)
        if not any(True for _ in self._work.spool.lines_of(lane.number)):
            await self._end(lane, "dropped")
            return
        while not self._desk.halt.is_set():
            try:
                found = await self._found(lane, api) if perhaps_there else None
                if found is None and perhaps_there and self._tide.is_late():
                    await self._end(lane, "dropped")
                    return
                found = found or await self._submitted(lane, api)
                if not found:
                    await self._end(lane, "dropped")
                    return
            except (UpstreamError, LaterError) as error:
                self._tide.warn(str(error))
                perhaps_there = True
                await self._tide.pause()
            else:
                self._work.keep.lane(lane.moved("sent", found))
                return

    async def _found(self, lane: Lane, api: BatchApi) -> str | None:
        others = {each.id for each in self._work.card.lanes if each.id}
        return await api.find(lane.tag, lane.lines, min(lane.begun_s, self._tide.now_s()), others)

    async def _submitted(self, lane: Lane, api: BatchApi) -> str:
        """``""``: it is refused, and certainly not there."""
        try:
            return await api.submit(lane.tag, lane.path, self._entries(lane, api))
        except RefusedError as error:
            self._tide.warn(f"{error.problem} Its {lane.lines:,} lines are asked directly.")
            return ""

    def _entries(self, lane: Lane, api: BatchApi) -> list[bytes]:
        return [
            api.entry(f"{lane.tag}-{number}", lane.path, call_of(self._passage(self._line(number), lane)).body)
            for number in self._work.spool.lines_of(lane.number)
        ]

    async def _land(self, lane: Lane, api: BatchApi, done: int) -> None:
        """Everything that it brought, each line once; what it has left is asked directly. ``done``: so many results there
        are; with fewer the road broke off, and what is missing may have been paid for."""
        came: set[int] = set()
        async for result in api.results(lane.id):
            number = lane.line_of(result.name)
            if number is None or number >= len(self._work.source):
                continue
            came.add(number)
            if self._work.spool.lane(number) == lane.number:
                await self._take(number, lane, result)
        if len(came) < done:
            self._miss(lane, came, done)
        await self._end(lane, "done")

    def _miss(self, lane: Lane, came: set[int], done: int) -> None:
        """Looked for again; at last, what became of the lines that are missing is not known."""
        problem = f"{lane.provider} gave {len(came):,} of {done:,} results of {lane.id}"
        if not self._tide.is_late():
            raise LaterError(f"{problem}. They are looked for again.")
        self._tide.warn(f"{problem}. What became of the others is not known.")
        for number in [number for number in self._work.spool.lines_of(lane.number) if number not in came]:
            fault = answers.of_fault(self._line(number), "unknown", "outcome_unknown", problem)
            self._work.answer(number, fault)
            if (passage := self.held.pop(number, None)) is not None:
                self._waiting.give_up(passage)

    async def _take(self, number: int, lane: Lane, result: Result) -> None:
        if result.said.fault:
            return
        line = self._line(number)
        passage = self.held.pop(number, None) or self._passage(line, lane)
        reply = await self._waiting.land(passage, result.said)
        self._work.answer(number, answers.of_reply(line, heard.of_reply(reply, passage.receipt)))
        self._tide.tell()
        await asyncio.sleep(0)

    async def _end(self, lane: Lane, state: State) -> None:
        left = list(self._work.spool.lines_of(lane.number))
        for number in left:
            if (passage := self.held.pop(number, None)) is not None:
                self._waiting.give_up(passage)
        self._work.spool.again(left, anew=False)
        if await self._tide.close_intent(lane):
            self._work.keep.lane(lane.moved(state))

    def _api(self, lane: Lane) -> BatchApi:
        provider = next((each for each in self._desk.plan.providers if each.name == lane.provider), None)
        if provider is None:
            fix = f"Put providers.{lane.provider} back until {len(self.open)} batches there have ended."
            raise BatchError(f"A batch is under way at {lane.provider}, which the configuration has no more.", fix)
        return self._apis(provider, lane.path)

    def _line(self, number: int) -> Line:
        entry = self._work.source.entry(number)
        assert not isinstance(entry, Problem)  # it was a request when it was handed in, and the file is the same
        return entry

    def _passage(self, line: Line, lane: Lane) -> Passage:
        passage = self._waiting.resume(self._desk.request_of(line), lane.receipt_of(line.number), lane.epoch)
        if isinstance(passage, Refuse) or passage.target.provider.name != lane.provider:
            problem = (
                f"Line {line.number + 1} is in a batch at {lane.provider}, where the configuration no longer sends it."
            )
            raise BatchError(problem, "Put the configuration back until that batch has been collected.")
        return passage
