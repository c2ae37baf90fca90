"""Writes the books: an intent before a call goes out, one receipt when a request has ended."""

from __future__ import annotations

import itertools
import os
from typing import NamedTuple

import msgspec
from cachebox import LRUCache

from pennyworth.decide import forget, passing, savings, tokens
from pennyworth.decide.key import Keyring
from pennyworth.engine.passage import Passage
from pennyworth.engine.rates import Rate
from pennyworth.engine.saying import Saying
from pennyworth.engine.state import State
from pennyworth.engine.watch import Watch
from pennyworth.errors import StoreError
from pennyworth.money import ZERO, Basis, Money, Usage
from pennyworth.outcome import Answer, AttemptNote, Ending, Intent, Latency, Outcome, Receipt, Served
from pennyworth.plan import Target
from pennyworth.ports import Journal
from pennyworth.request import Caller, Dialect, Request
from pennyworth.view import View

_SMALL = 8192
_BYTES_PER_TOKEN = 4
"""Of a small body, JSON and all: near enough for an intent, whose reply nobody can guess at all. A large one may hold
images, whose bytes are no text, and is looked at."""


class _Worth(NamedTuple):
    """The money of giving a kept answer once more, as long as its tokens and its price are these."""

    usage: Usage | None
    rate: Rate | None
    money: savings.Books


class _End(NamedTuple):
    """How a request ended. ``usage``: of the reply given. ``answer``: the kept one, on a hit."""

    served: Served
    ending: Ending
    status: int
    usage: Usage | None
    answer: Answer | None


class Books:
    """Prices what happened and acknowledges it in the journal. A journal that refuses fails no request: the receipt
    is still counted, and the fact is on the next receipt and in a metric."""

    def __init__(self, state: State, journal: Journal, keyring: Keyring, worker: str, run: str = "") -> None:
        self._state = state
        self._journal = journal
        self._keyring = keyring
        self._worker = worker
        self._ids = itertools.count()
        self._worths: LRUCache[tuple[str, Served, str], _Worth] = LRUCache(2_000)
        self._watch = Watch(state.counters)
        self._run = run or new_run()

    def next_id(self, wall_s: float) -> str:
        """Receipt ids sort by time; unique over workers and restarts by the run's random part."""
        return f"r-{int(wall_s * 1000):011x}-{self._run}-{next(self._ids):06x}"

    def intend(self, p: Passage, target: Target, calls: int = 1) -> None:
        """Acknowledges that a call is about to be paid for, the last of so many that are under way for the request; what
        its earlier calls have cost is in the estimate, since a crash would leave no other word of it."""
        about, basis = self._cost(p, target, Usage(input=_about(p.asks(target))), "estimated")
        spent = Money(calls * about.pico + sum([attempt.spent.pico for attempt in p.attempts]))
        caller = p.request.caller
        intent = Intent(
            id=p.id,
            at_s=p.view.wall_s,
            scope=caller.scope,
            model=p.request.model,
            target=target.name,
            estimate=spent,
            basis=basis,
            client=caller.client,
            team=caller.team,
        )
        control = self._state.control
        self._write(p.notes, intent if control.epoch == p.epoch else forget.as_written(intent, control, p.epoch))

    def about(self, p: Passage) -> tuple[Money, Basis]:
        """What its prompt costs, roughly, where a batch API makes the call."""
        return self._waiting(p, p.target, Usage(input=_about(p.request)), "estimated")

    def of_batch(self, record: Intent | Receipt) -> None:
        """The intent of a whole batch at a provider, or what ends it; each line has a receipt of its own."""
        self._write([], record)

    def note(
        self,
        p: Passage,
        target: Target,
        outcome: Outcome,
        *,
        first_byte_ms: float,
        total_ms: float,
        edits: tuple[str, ...],
        saying: Saying,
        why: str = "",
    ) -> AttemptNote:
        """One call as it stands on the receipt, priced."""
        into = saying.request.dialect
        usage, basis = self._usage(p.asks(target), outcome)
        if basis == "metered" and p.request.through is None:
            self._watch.look(p, target, outcome)
        price = self._waiting if p.waited else self._cost
        spent, basis = price(p, target, usage, basis) if usage else (ZERO, basis)
        return AttemptNote(
            target=target.name,
            status=outcome.status,
            ending=outcome.ending,
            served_by=outcome.served_by,
            usage=usage,
            spent=spent,
            basis=basis,
            first_byte_ms=first_byte_ms,
            total_ms=total_ms,
            provider_request_id=outcome.provider_request_id,
            fault=outcome.fault,
            broke=outcome.broke,
            edits=edits,
            why=why,
            dialect=into if into != p.request.dialect else "",
            dropped=saying.dropped,
        )

    def settle(
        self,
        p: Passage,
        *,
        served: Served,
        ending: Ending,
        status: int,
        usage: Usage | None = None,
        answer: Answer | None = None,
    ) -> Receipt:
        """Writes the receipt of a request; the second call finds it written.

        ``usage``: the tokens of the reply given.
        """
        if p.receipt is None:
            end = _End(served, ending, status, usage, answer)
            receipt, control = self._receipt(p, end, self._money(p, end)), self._state.control
            p.receipt = receipt if control.epoch == p.epoch else forget.as_written(receipt, control, p.epoch)
            self._write(p.notes, p.receipt)
            if p.hold is not None:
                p.hold.settle(p.receipt)
            self._state.fold(p.receipt)
            if p.repeats_sample:
                self._state.counters.bypass_repeats += 1
                self._state.counters.bypass_would_have += p.receipt.would_have_cost.pico
        return p.receipt

    def _money(self, p: Passage, end: _End) -> savings.Books:
        if end.answer is None or p.attempts:
            return self._reckon(p, end)
        asked = _asked(p)
        name, rate = (end.answer.id, end.served, asked.name), p.terms.rates.rate(asked, self._state.clock.wall_s())
        worth = self._worths.get(name)
        if worth is None or worth.rate is not rate or worth.usage != end.usage:
            worth = _Worth(end.usage, rate, self._reckon(p, end))
            self._worths.insert(name, worth)
        return worth.money

    def _reckon(self, p: Passage, end: _End) -> savings.Books:
        spent, basis = _paid(p.attempts)
        would, would_basis = spent, basis
        if end.usage is not None and end.served != "none" and not _direct(p, end):
            would_basis = basis if end.served in ("upstream", "partial") else "metered"
            would, would_basis = self._cost(p, _asked(p), end.usage, would_basis)
        return savings.books(
            end.served, would_have_cost=would, spent=spent, would_basis=would_basis, basis=basis, waited=p.waited
        )

    def _receipt(self, p: Passage, end: _End, money: savings.Books) -> Receipt:
        request, view, answer = p.request, p.view, end.answer
        return Receipt(
            id=p.id,
            at_s=view.wall_s,
            worker=self._worker,
            scope=request.caller.scope,
            dialect=request.dialect,
            model=p.asked.request.model if p.asked else request.model,
            route=p.route.name,
            stream=request.stream,
            served=end.served,
            ending=end.ending,
            status=end.status,
            reason=p.reason,
            target=answer.target if answer else p.answering.name,
            attempts=tuple(p.attempts),
            usage=end.usage,
            spent=money.spent,
            basis=money.basis,
            would_have_cost=money.would_have_cost,
            would_basis=money.would_basis,
            saved=money.saved,
            own=money.own,
            notes=tuple(p.notes),
            kind=answer.kind if answer else "",
            age_s=round(view.wall_s - answer.created_s, 3) if answer else 0.0,
            ttl_s=p.ttl_s,
            key=answer.key if answer else p.name,
            answer=answer.id if answer else "",
            tags=request.tags,
            client=request.caller.client,
            team=request.caller.team,
            end_user=self._keyring.end_user(request) if request.end_user else "",
            latency=_latency(p, self._state.clock.mono_ns()),
            price_source=p.terms.rates.source(_asked(p)) if money.would_have_cost.pico else "",
            plan=view.plan.digest,
        )

    def refuse(
        self, caller: Caller, view: View, status: int, reason: str, model: str, dialect: Dialect = "chat"
    ) -> Receipt:
        """The receipt of a request that we did not serve."""
        receipt = Receipt(
            id=self.next_id(view.wall_s),
            at_s=view.wall_s,
            worker=self._worker,
            scope=caller.scope,
            dialect=dialect,
            model=model,
            served="none",
            ending="caller_left" if status == 499 else "refused",
            status=status,
            reason=reason,
            client=caller.client,
            team=caller.team,
            plan=view.plan.digest,
        )
        self._write([], receipt)
        self._state.fold(receipt)
        return receipt

    def _usage(self, asked: Request, outcome: Outcome) -> tuple[Usage | None, Basis]:
        """The provider's count, or ours where it gave none and something was generated or broke off on the way. Of a reply
        that broke off when it had only counted the prompt, the output is ours to count."""
        if outcome.usage is not None:
            if outcome.usage.output or not outcome.text:
                return outcome.usage, "metered"
            return msgspec.structs.replace(outcome.usage, output=tokens.estimate_tokens(outcome.text)), "estimated"
        if asked.through is not None:
            return None, passing.basis(asked.through, outcome)
        if outcome.status >= 300 or (outcome.status == 0 and outcome.ending not in ("caller_left", "outrun")):
            return None, "none"
        return Usage(input=tokens.estimate(asked), output=tokens.estimate_tokens(outcome.text)), "estimated"

    def _cost(self, p: Passage, target: Target, usage: Usage, basis: Basis) -> tuple[Money, Basis]:
        """By the prices the request began with, as they are now."""
        return p.terms.rates.cost(target, usage, basis, self._state.clock.wall_s())

    def _waiting(self, p: Passage, target: Target, usage: Usage, basis: Basis) -> tuple[Money, Basis]:
        return p.terms.rates.waiting(target, usage, basis, self._state.clock.wall_s())

    def _write(self, notes: list[str], record: Intent | Receipt) -> None:
        try:
            self._journal.append(record)
        except StoreError as error:
            self._state.trouble("journal", str(error))
            notes.append(f"journal: {error}")


def _direct(p: Passage, end: _End) -> bool:
    """One call to the asked target: what it cost is what it would have cost."""
    return end.served == "upstream" and len(p.attempts) == 1 and p.answering is _asked(p) and not p.waited


def new_run() -> str:
    """A name for one run of a worker, as it stands in the ids of its receipts."""
    return os.urandom(4).hex()


def _asked(p: Passage) -> Target:
    """The model the caller named, whose price is what the request would have cost."""
    return p.asked.target if p.asked else p.target


def _latency(p: Passage, now_ns: int) -> Latency:
    return Latency(
        total_ms=round((now_ns - p.view.mono_ns) / 1e6, 3),
        first_byte_ms=p.first_byte_ms,
        upstream_ms=round(sum([attempt.total_ms for attempt in p.attempts]), 3) if p.attempts else 0.0,
    )


def _about(request: Request) -> int:
    """Prompt tokens, roughly."""
    size = len(request.body)
    return size // _BYTES_PER_TOKEN if size <= _SMALL else tokens.estimate(request)


def _paid(attempts: list[AttemptNote]) -> tuple[Money, Basis]:
    """What the calls cost together; as certain as the least certain of them."""
    match attempts:
        case []:
            return ZERO, "none"
        case [only]:
            return only.spent, only.basis
    total = sum((attempt.spent for attempt in attempts), ZERO)
    return total, savings.weakest(*(attempt.basis for attempt in attempts))
