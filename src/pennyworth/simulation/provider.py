"""A simulated provider on the simulated network: the sandbox's answers, faults and bill, as HTTP/1.1 bytes on a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import httptools
import msgspec

from pennyworth.sandbox.ask import RefusedError, error_body
from pennyworth.sandbox.provider import Job, Provider, settle, settle_refused
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.status import body_of, retry_after_of
from pennyworth.sandbox.watermark import expected_watermark
from pennyworth.sandbox.wires import WIRES, Wire
from pennyworth.simulation.delivering import Parcel, pack
from pennyworth.simulation.history import Call, History
from pennyworth.simulation.scene import Scene
from pennyworth.simulation.script import SeededScript

_SLOW_S = (0.0, 0.0, 0.01, 0.3, 2.0)


class SimulatedProvider:
    """One company. ``line`` makes the protocol of one of its connections."""

    def __init__(
        self, name: str, scene: Scene, chance: Random, rate: float, history: History, wall_s: Callable[[], float]
    ) -> None:
        loop = asyncio.get_running_loop()
        settings = Settings(prices=scene.prices, answer_words=(1, 8), run=name[0], bill_lines=10**6)
        self.name = name
        self.chance = chance
        self.rate = rate
        self.wall_s = wall_s
        self.sandbox = Provider(settings, loop.time, wall_s)
        self._script = self.sandbox.script = SeededScript(chance, rate, loop.time)
        self.busy = 0
        self._history = history

    def calm(self) -> None:
        self.rate = 0.0
        self._script.calm()

    def line(self) -> ProviderLine:
        return ProviderLine(self)

    def take(self, body: bytes, credential: str, wire: Wire) -> tuple[Job, Call] | RefusedError:
        """Reads a request and notes that it came."""
        request_id = self.sandbox.next_id()
        try:
            job = self.sandbox.take(body, credential, request_id, wire)
        except RefusedError as refused:
            call = self._note(request_id, msgspec.json.decode(body), credential, "refused")
            call.line = settle_refused(self.sandbox.bill, request_id, credential, refused.status)
            return refused
        call = self._note(request_id, job.ask.fields, credential, job.rule.kind if job.rule else "")
        return job, call

    def settle(self, job: Job, call: Call, *, status: int, generated: int, completed: bool) -> None:
        if call.line is None:
            self.busy -= 1
            call.line = settle(self.sandbox.bill, job, status=status, generated=generated, completed=completed)

    def _note(self, request_id: str, fields: dict[str, Any], credential: str, fault: str) -> Call:
        call = Call(
            provider=self.name,
            id=f"req_{request_id}",
            model=str(fields.get("model")),
            shown=credential.removeprefix("Bearer "),
            marked=expected_watermark(fields, credential),
            tenant=str(fields.get("user") or fields.get("metadata", {}).get("user_id")),
            fields=fields,
            arrived_s=asyncio.get_running_loop().time(),
            arrived_wall_s=self.wall_s(),
            fault=fault,
        )
        self._history.calls_for(call)
        return call


class ProviderLine(asyncio.Protocol):
    """One connection: requests one after the other, each answered as the script will have it."""

    def __init__(self, provider: SimulatedProvider) -> None:
        self._provider = provider
        self._chance = provider.chance
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._credential = ""
        self._path = ""
        self._body: list[bytes] = []
        self._gone = False
        self._full = False
        self._now: tuple[Job, Call] | None = None
        self._parcels: list[Parcel] = []
        self._ending = "end"
        self._generated = 0
        self._pause_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # What the transport calls.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._chance.random() < self._provider.rate:  # some servers close what is idle, at the worst moment
            self._loop.call_later(self._chance.random() * 5.0, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._finish(completed=False)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._now is not None and self._timer is None:
            self._pump()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._path = ""
        self._body = []
        self._credential = ""

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()  # it may come in pieces

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._credential = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        taken = self._provider.take(b"".join(self._body), self._credential, WIRES[self._path])
        if isinstance(taken, RefusedError):
            self._respond(taken.status, taken.body, "")
            return
        self._now = taken
        self._provider.busy += 1
        self._generated = 0
        self._timer = self._loop.call_later(self._chance.choice(_SLOW_S) * self._chance.random(), self._start)

    # The reply.

    def _start(self) -> None:
        assert self._now is not None
        self._timer = None
        job, call = self._now
        kind = job.rule.kind if job.rule else ""
        if kind == "status" and job.rule:
            self._refuse(job, call)
        elif kind == "reset":
            self._provider.settle(job, call, status=0, generated=0, completed=False)
            self._transport.abort()
        elif kind != "hang":  # else until the other side has had enough
            parcels = pack(job, self._chance, honest=not self._provider.rate)
            self._parcels, self._ending, self._pause_s = parcels.steps, parcels.ending, parcels.pause_s
            call.silent = parcels.silent
            self._transport.write(parcels.head)
            self._pump()

    def _refuse(self, job: Job, call: Call) -> None:
        assert job.rule is not None
        status, body, more = job.rule.status, body_of(job.rule.status), ""
        if job.rule.retry_after:
            more = f"retry-after: {retry_after_of(job.rule, self._provider.wall_s())}\r\n"
        drawn = self._chance.random()
        if status == 429 and drawn < 0.2:
            body = error_body("You exceeded your current quota.", kind="insufficient_quota", code="insufficient_quota")
        elif status == 400 and drawn < 0.3:
            status, body, more = 307, b"", "location: http://elsewhere.sim/v1/chat/completions\r\n"
        self._provider.settle(job, call, status=status, generated=0, completed=False)
        self._now = None
        self._respond(status, body, f"x-request-id: {call.id}\r\n{more}")

    def _respond(self, status: int, body: bytes, more: str) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        self._transport.write(head.encode() + body)

    def _pump(self) -> None:
        """Writes what is due, until it has to wait."""
        self._timer = None
        while self._parcels and not (self._full or self._gone or self._transport.is_closing()):
            data, tokens = self._parcels.pop()
            self._generated += tokens
            self._transport.write(data)
            if self._pause_s and self._parcels:
                self._timer = self._loop.call_later(self._pause_s, self._pump)
                return
        if not (self._parcels or self._gone):
            self._end()

    def _end(self) -> None:
        match self._ending:
            case "end":
                self._finish(completed=not self._transport.is_closing())
            case "cut":
                self._finish(completed=False)
                self._transport.close()
            case "reset":
                self._finish(completed=False)
                self._transport.abort()

    def _finish(self, *, completed: bool) -> None:
        if self._now is None:
            return
        (job, call), self._now = self._now, None
        answer = job.answer
        generated = answer.reasoning + self._generated if answer else 0
        if answer and not job.ask.stream:
            generated = max(generated, answer.tokens)
        self._provider.settle(job, call, status=200 if answer else 0, generated=generated, completed=completed)

    def _close_if_idle(self) -> None:
        if self._now is None:
            self._transport.close()
