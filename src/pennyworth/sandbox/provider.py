"""The simulated provider without its sockets: takes a request, says how to answer it, and settles it on the bill."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from pennyworth.sandbox.answer import Answer, compose
from pennyworth.sandbox.ask import Ask
from pennyworth.sandbox.bill import Bill, BillLine, Tokens
from pennyworth.sandbox.chat import Head
from pennyworth.sandbox.delivery import Delivery, of_events, of_json
from pennyworth.sandbox.faults import Asked, Rule, Script
from pennyworth.sandbox.latency import Pace
from pennyworth.sandbox.manners import OPENAI, Manner
from pennyworth.sandbox.messages_ask import read_ask as read_messages
from pennyworth.sandbox.messages_prompts import MarkedPrompts, blocks_of, minimum_of
from pennyworth.sandbox.prefixes import PromptCache
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.stored import Stored
from pennyworth.sandbox.watermark import expected_watermark, tenant_of
from pennyworth.sandbox.wires import CHAT, MESSAGES, Wire

_PROTOCOL_FAULTS = frozenset({"status", "reset", "hang"})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A request the provider has read: what befalls it and, unless that is before the answer, how it is answered."""

    request_id: str
    tenant: str
    ask: Ask
    rule: Rule | None
    manner: Manner = OPENAI
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
        self.marked = MarkedPrompts(self.settings.prefixes, self._clock)
        self.stored = Stored(self.settings.stored)
        self.play(self.settings.rules, prompt_faults=self.settings.prompt_faults)

    def play(self, rules: tuple[Rule, ...], *, prompt_faults: bool) -> None:
        """From now on this script, from its beginning."""
        self.script = Script(rules, seed=self.settings.seed, prompt_faults=prompt_faults)

    def next_id(self) -> str:
        self._arrived += 1
        return f"{self.settings.run}{self._arrived:08d}"

    def take(self, body: bytes, credential: str, request_id: str, wire: Wire = CHAT) -> Job:
        """Read a request and choose its fate; raises ``RefusedError`` for what the provider would refuse."""
        tenant = self.tenant(credential, wire.manner)
        ask = msgspec.structs.replace(wire.read(body), tenant=tenant)
        if ask.model not in self.settings.prices:
            raise wire.unknown(ask.model)
        if wire.remembers:
            ask = self.stored.with_earlier(tenant, ask)
        watermark = expected_watermark(ask.fields, credential)
        rule = self.script.choose(Asked(ask.model, ask.stream, body, watermark))
        job = Job(request_id=request_id, tenant=tenant, ask=ask, rule=rule, manner=wire.manner)
        if rule and rule.kind in _PROTOCOL_FAULTS:
            return job
        return self._answered(job, watermark, wire)

    def count(self, body: bytes, credential: str) -> int:
        """Input tokens of a request to Messages that is not to be answered; raises ``RefusedError``."""
        self.tenant(credential, MESSAGES.manner)
        ask = read_messages(body, counting=True)
        if ask.model not in self.settings.prices:
            raise MESSAGES.unknown(ask.model)
        return len(MESSAGES.tokens(ask))

    def tenant(self, credential: str, manner: Manner = OPENAI) -> str:
        """Whose this credential is; raises ``RefusedError`` where it is nobody's."""
        key = credential.removeprefix("Bearer ")
        if not key:
            raise manner.no_key()
        if " " in key or (self.settings.keys and key not in self.settings.keys):
            raise manner.wrong_key(key)
        return tenant_of(credential)

    def _answered(self, job: Job, watermark: str, wire: Wire) -> Job:
        ask, rule = job.ask, job.rule
        prompt = self._prompt(job, wire)
        answer = compose(ask, watermark, rule, self.settings)
        usage = msgspec.structs.replace(prompt, output=answer.tokens, reasoning=answer.reasoning)
        return msgspec.structs.replace(
            job,
            prompt=prompt,
            answer=answer,
            delivery=self._delivery(job, answer, usage, wire),
            pace=self.settings.latency.pace(prompt.input - prompt.cached, f"{self.settings.seed}:{watermark}"),
        )

    def _prompt(self, job: Job, wire: Wire) -> Tokens:
        ask = job.ask
        owner = f"{job.tenant}:{ask.model}:{ask.fields.get('prompt_cache_key', '')}"
        if wire.marked:
            return self.marked.count(owner, blocks_of(ask.fields), minimum_of(ask.model))
        tokens = wire.tokens(ask)
        if not wire.caches:
            return Tokens(input=len(tokens))
        return Tokens(input=len(tokens), cached=self.prompts.cached_tokens(owner, tokens))

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
        if reply.events is not None:
            return of_events(reply.events, rule)
        return of_json(reply.json, answer.tokens, rule, wire.manner.broke)


def settle(bill: Bill, job: Job, *, status: int, generated: int, completed: bool) -> BillLine:
    """The invoice line of a request that is over. ``generated``: output tokens handed out, reasoning included."""
    billed = job.rule is None or job.rule.billed
    reasoning = job.answer.reasoning if job.answer else 0
    usage = msgspec.structs.replace(job.prompt, output=generated, reasoning=reasoning)
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
