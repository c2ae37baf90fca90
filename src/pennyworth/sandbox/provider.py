"""The simulated provider without its sockets: takes a request, says how to answer it, and settles it on the bill."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from pennyworth.sandbox.answer import Answer, compose
from pennyworth.sandbox.ask import Ask, RefusedError
from pennyworth.sandbox.bill import Bill, BillLine, Tokens
from pennyworth.sandbox.chat import Head
from pennyworth.sandbox.delivery import Delivery, of_events, of_json
from pennyworth.sandbox.faults import Asked, Rule, Script
from pennyworth.sandbox.latency import Pace
from pennyworth.sandbox.prefixes import PromptCache
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.stored import Stored
from pennyworth.sandbox.watermark import expected_watermark, tenant_of
from pennyworth.sandbox.wires import CHAT, Wire

_PROTOCOL_FAULTS = frozenset({"status", "reset", "hang"})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A request the provider has read: what befalls it and, unless that is before the answer, how it is answered."""

    request_id: str
    tenant: str
    ask: Ask
    rule: Rule | None
    prompt: Tokens = Tokens()
    answer: Answer | None = None
    delivery: Delivery | None = None
    pace: Pace = Pace(0.0, 0.0)


class Provider:
    """Settings, and everything that changes: bill, script, prompt cache."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._wall_clock = wall_clock
        self._arrived = 0
        self.reset()

    def reset(self) -> None:
        """As at the start: an empty bill and prompt cache, the script of the settings. Ids go on, so none comes twice."""
        self.bill = Bill(self.settings.prices, self.settings.bill_lines)
        self.prompts = PromptCache(self.settings.prefixes, self.settings.prefix_idle_s, self._clock)
        self.stored = Stored(self.settings.stored)
        self.play(self.settings.rules, prompt_faults=self.settings.prompt_faults)

    def play(self, rules: tuple[Rule, ...], *, prompt_faults: bool) -> None:
        """From now on this script, from its beginning."""
        self.script = Script(rules, seed=self.settings.seed, prompt_faults=prompt_faults)

    def next_id(self) -> str:
        self._arrived += 1
        return f"{self.settings.run}{self._arrived:08d}"

    def take(self, body: bytes, credential: str, request_id: str, wire: Wire = CHAT) -> Job:
        """Read a request and choose its fate; raises ``RefusedError`` for what OpenAI would refuse."""
        tenant = self.tenant(credential)
        ask = wire.read(body)
        if ask.model not in self.settings.prices:
            raise wire.unknown(ask.model)
        if wire.remembers:
            ask = self.stored.with_earlier(tenant, ask)
        watermark = expected_watermark(ask.fields, credential)
        rule = self.script.choose(Asked(ask.model, ask.stream, body, watermark))
        job = Job(request_id=request_id, tenant=tenant, ask=ask, rule=rule)
        if rule and rule.kind in _PROTOCOL_FAULTS:
            return job
        return self._answered(job, watermark, wire)

    def tenant(self, credential: str) -> str:
        """Whose this credential is; raises ``RefusedError`` where it is nobody's."""
        self._check_credential(credential)
        return tenant_of(credential)

    def _answered(self, job: Job, watermark: str, wire: Wire) -> Job:
        ask, rule = job.ask, job.rule
        tokens = wire.tokens(ask)
        owner = f"{job.tenant}:{ask.model}:{ask.fields.get('prompt_cache_key', '')}"
        cached = self.prompts.cached_tokens(owner, tokens)
        answer = compose(ask, watermark, rule, self.settings)
        usage = Tokens(len(tokens), answer.tokens, cached, answer.reasoning)
        return msgspec.structs.replace(
            job,
            prompt=Tokens(usage.input, 0, cached, 0),
            answer=answer,
            delivery=self._delivery(job, answer, usage, wire),
            pace=self.settings.latency.pace(usage.input - cached, f"{self.settings.seed}:{watermark}"),
        )

    def _delivery(self, job: Job, answer: Answer, usage: Tokens, wire: Wire) -> Delivery:
        ask, rule = job.ask, job.rule
        head = Head(
            id=f"{wire.name}{job.request_id}",
            created=int(self._wall_clock()),
            model=self.settings.snapshots.get(ask.model, ask.model),
            fingerprint=self.settings.fingerprint,
        )
        withheld = rule is not None and rule.kind == "done_without_finish" and not ask.stream
        reply = wire.write(head, ask, answer, None if withheld else usage)
        if reply.kept is not None:
            self.stored.keep(job.tenant, ask, reply.kept)
        return of_json(reply.json, answer.tokens, rule) if reply.events is None else of_events(reply.events, rule)

    def _check_credential(self, credential: str) -> None:
        key = credential.removeprefix("Bearer ")
        if not key:
            raise RefusedError(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        if " " in key or (self.settings.keys and key not in self.settings.keys):
            raise RefusedError(401, f"Incorrect API key provided: {key[:3]}***.", code="invalid_api_key")


def settle(bill: Bill, job: Job, *, status: int, generated: int, completed: bool) -> BillLine:
    """The invoice line of a request that is over. ``generated``: output tokens handed out, reasoning included."""
    billed = job.rule is None or job.rule.billed
    reasoning = job.answer.reasoning if job.answer else 0
    usage = Tokens(job.prompt.input, generated, job.prompt.cached, reasoning)
    line = BillLine(
        number=bill.next_number,
        request_id=f"req_{job.request_id}",
        model=job.ask.model,
        tenant=job.tenant,
        usage=usage,
        amount_pico=bill.amount_pico(job.ask.model, usage) if billed else 0,
        completed=completed and billed,
        billed=billed,
        stream=job.ask.stream,
        status=status,
        fault=job.rule.kind if job.rule else "",
    )
    bill.add(line)
    return line


def settle_refused(bill: Bill, request_id: str, credential: str, status: int) -> BillLine:
    """The invoice line of a request that was refused: nothing to pay."""
    line = BillLine(
        number=bill.next_number,
        request_id=f"req_{request_id}",
        model="-",
        tenant=tenant_of(credential),
        usage=Tokens(),
        amount_pico=0,
        completed=False,
        billed=False,
        stream=False,
        status=status,
    )
    bill.add(line)
    return line
