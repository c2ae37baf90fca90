"""Asks the engine for one line of a batch, once, as a caller with patience would.

Each request bears an Idempotency-Key made of the batch and the line, so that a run that was killed finds the result of
what it had paid for, and is told where nobody knows what became of a call. What costs nothing to ask again (too many
requests, a provider that is not reached) is asked again, for as long as others get answers meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from pennyworth.batch import answers, heard
from pennyworth.batch.answers import Answer
from pennyworth.batch.heard import Heard
from pennyworth.batch.lines import Line
from pennyworth.decide.admit import Refuse
from pennyworth.decide.key import Keyring
from pennyworth.decide.scope import narrowed
from pennyworth.engine.engine import Engine
from pennyworth.engine.passage import Reply
from pennyworth.errors import RequestError
from pennyworth.mac import Mac
from pennyworth.plan import Plan
from pennyworth.request import Caller, Request
from pennyworth.wire.asking import ONCE_HEADER, TAGS_HEADER

_LONGEST_PAUSE_S = 30.0


class HaltedError(Exception):
    """The batch is to stop, and this line was not asked: it is left for the next run."""


class Desk:
    """``caller``: on whose behalf. ``batch``: the id of the batch. ``patience_s``: how long nobody may get an answer
    until lines are given up instead of asked again. ``halt``: set when no line is to be begun any more."""

    def __init__(self, engine: Engine, keyring: Keyring, caller: Caller, batch: str, patience_s: float) -> None:
        self._engine = engine
        self.caller = caller
        self._batch = batch
        self._patience_s = patience_s
        self.halt = asyncio.Event()
        self._narrowing = Mac(keyring.derive("scope within a key"))
        self._now = asyncio.get_running_loop().time
        self._answered_at = self._now()

    @property
    def plan(self) -> Plan:
        return self._engine.state.plan

    def request_of(self, line: Line, once: str = "") -> Request:
        """Raises ``RequestError``."""
        plan = self.plan
        headers = {TAGS_HEADER: f"batch-{self._batch}"} | ({ONCE_HEADER: once} if once else {})
        request = line.codec.read_request(
            line.body, headers, self.caller, vary=plan.cache.vary_headers, max_depth=plan.limits.max_depth
        )
        if request.stream:
            message = "stream: a batch gives whole replies. Leave the field out."
            raise RequestError(message, code="invalid_value", param="stream")
        return narrowed(request, headers, self._narrowing) if self.caller.narrow else request

    def once_key(self, line: Line, round_: int) -> str:
        return f"batch-{self._batch}-{line.seal.hex()}-{round_}"

    async def ask(self, line: Line, round_: int, again: Callable[[], int] | None = None) -> Answer:
        """Its answer, whatever it is. ``again``: what was made and is lost is to be made anew, in the round it gives."""
        try:
            request = self.request_of(line, self.once_key(line, round_))
        except RequestError as error:
            return answers.of_reply(line, self.refused(line, error))
        told = await self._patiently(request)
        if told.lost and told.served == "none" and again is not None:
            return await self.ask(line, again())
        return answers.of_reply(line, told)

    def refused(self, line: Line, error: RequestError) -> Heard:
        """A body that no provider is asked with, as the public door would refuse it."""
        no = Refuse(error.status, error.code, error.message, param=error.param)
        view = self._engine.state.snapshot()
        return heard.of_reply(self._engine.refuse(self.caller, view, no, dialect=line.codec.name, reason=error.code))

    async def _patiently(self, request: Request) -> Heard:
        pause_s = 0.0
        while True:
            told = await self._once(request)
            if not told.later_s or self._now() - self._answered_at > self._patience_s:
                if told.status == 200:
                    self._answered_at = self._now()
                return told
            pause_s = min(_LONGEST_PAUSE_S, max(told.later_s, 2 * pause_s))
            await self._pause(pause_s)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.halt.wait(), seconds)
        if self.halt.is_set():
            raise HaltedError

    async def _once(self, request: Request) -> Heard:
        given = await self._engine.handle(request)
        if isinstance(given, Reply):
            return heard.of_reply(given)
        try:
            reply = await given.reply()
            return heard.of_reply(reply, given.receipt)
        finally:
            given.close()
