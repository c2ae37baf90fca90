"""The books are the provider's bill, call by call, to the picodollar; spent and saved are what it would have cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.memory import MemoryLedger
from pennyworth.money import Money
from pennyworth.outcome import AttemptNote, Receipt
from pennyworth.simulation.history import Asked, Call
from pennyworth.simulation.laws import Broken, Evidence

_Whose = tuple[str, str]
"""A scope, "" for anybody's, and a target."""

_SEEN_WHOLE = ("complete", "length", "filtered", "tools")
_NEVER_SENT = ("no connection", "connecting timed out")
_FREE = ("coalesced", "exact", "normalised", "stale")


def books(evidence: Evidence) -> Iterator[Broken]:
    history = evidence.history
    booked: Counter[str] = Counter()
    nameless = _left_open(evidence)
    # A receipt that the disk would not take is in no ledger, and what it says of its calls is held against the bill all the same.
    for receipt in (*history.receipts, *history.refused.values()):
        yield from _adds_up(receipt)
        for attempt in receipt.attempts:
            booked[attempt.provider_request_id] += 1
            if attempt.ending == "unknown":
                continue  # one note for all the calls that were left open: those are counted already
            if not attempt.provider_request_id:
                nameless[_whose(evidence, receipt.scope, attempt.target)] += not attempt.fault.startswith(_NEVER_SENT)
            elif (call := history.calls.get(attempt.provider_request_id)) is None:
                yield Broken("books are the bill", 0, f"{receipt.id}: {attempt.provider_request_id} is on no bill")
            else:
                yield from _as_billed(receipt, attempt, call)
    yield from _all_booked(evidence, booked, nameless)
    yield from _in_total(evidence)


def _left_open(evidence: Evidence) -> Counter[_Whose]:
    """The calls that a process had announced, and of which it could say no more before it died. Those count that the disk
    would not take an intent of: a journal that refuses fails no request, so the call was made all the same."""
    history = evidence.history
    unknown = {receipt.id for receipt in history.receipts if receipt.ending == "unknown"} - history.refused.keys()
    intents = [intent for request in unknown | history.lost for intent in history.announced[request]]
    return Counter(_whose(evidence, intent.scope, intent.target) for intent in intents)


def _whose(evidence: Evidence, scope: str, target: str) -> _Whose:
    """Some scopes are hashes that nobody else can compute: those are looked at together."""
    known = any(tenant.scope == scope for tenant in evidence.scene.people.tenants)
    return (scope if known else ""), target


def _adds_up(receipt: Receipt) -> Iterator[Broken]:
    if not balances(receipt):
        yield Broken(
            "spent + saved", 0, f"{receipt.id}: {receipt.spent} + {receipt.saved} is not {receipt.would_have_cost}"
        )
    calls = sum(attempt.spent.pico for attempt in receipt.attempts)
    if receipt.spent.pico != calls + receipt.own.pico:
        yield Broken("spent + saved", 0, f"{receipt.id}: spent {receipt.spent.pico}, its calls come to {calls}")


def _as_billed(receipt: Receipt, attempt: AttemptNote, call: Call) -> Iterator[Broken]:
    line = call.line
    what = f"{receipt.id}, {call.id} ({call.fault or 'no fault'}, {attempt.ending})"
    if line is None:
        yield Broken("books are the bill", 0, f"{what}: the provider is still at it")
        return
    if attempt.basis == "metered" and line.billed and attempt.spent.pico != line.amount_pico:
        yield Broken("books are the bill", 0, f"{what}: booked {attempt.spent.pico}, billed {line.amount_pico}")
    if attempt.status >= 300 and attempt.spent:
        yield Broken(
            "books are the bill", 0, f"{what}: {attempt.status} is no reply, and {attempt.spent.pico} are booked for it"
        )
    waived = call.fault in ("cut", "body_cut")  # the provider told the usage, and does not charge for what it broke
    if attempt.basis == "metered" and not (line.billed or waived) and attempt.ending in _SEEN_WHOLE:
        yield Broken("books are the bill", 0, f"{what}: booked as metered, billed nothing")
    if attempt.basis not in ("metered", "estimated") and line.amount_pico:
        yield Broken("books are the bill", 0, f"{what}: not booked ({attempt.basis}), billed {line.amount_pico}")
    if line.completed and attempt.ending in _SEEN_WHOLE and attempt.basis != "metered" and not call.silent:
        yield Broken("books are the bill", 0, f"{what}: its usage was told, and booked is an estimate")


def _all_booked(evidence: Evidence, booked: Counter[str], nameless: Counter[_Whose]) -> Iterator[Broken]:
    """A call whose reply never began has no id on our side: for each target and tenant as many of ours as there are of
    theirs, at least. (A call that broke on its way was never theirs.)"""
    for request_id, times in booked.items():
        if request_id and times > 1:
            yield Broken("books are the bill", 0, f"{request_id} is booked {times} times")
    unbooked: dict[_Whose, list[Call]] = {}
    for call in evidence.history.calls.values():
        if not booked[call.id]:
            unbooked.setdefault(
                _whose(evidence, evidence.scene.scope_of(call.tenant), f"{call.provider}/{call.model}"), []
            ).append(call)
    for whose, calls in unbooked.items():
        if len(calls) > nameless[whose]:
            few = ", ".join(f"{call.id} ({call.fault or 'no fault'})" for call in calls[:5])
            told = f"{len(calls)} calls of {' at '.join(whose)} on no receipt, {nameless[whose]} receipts without id: {few}"
            yield Broken("books are the bill", 0, told)


def _in_total(evidence: Evidence) -> Iterator[Broken]:
    history = evidence.history
    ledger = MemoryLedger()
    ledger.fold(history.receipts)
    totals = ledger.totals(0.0, float("inf"))[""]
    spent = Money(sum(receipt.spent.pico for receipt in history.receipts))
    if totals.spent != spent or not balances(totals):
        yield Broken("spent + saved", 0, f"the ledger's totals say {totals.spent}, its receipts {spent}")


def savings(evidence: Evidence) -> Iterator[Broken]:
    """Who paid nothing is told what it would have cost: the asked model's price, for the tokens of the answer given."""
    known = {receipt.id: receipt for receipt in evidence.history.receipts}
    for asked in evidence.history.asked:
        receipt, call = known.get(asked.receipt), evidence.call_of(asked.heard.id) if asked.heard.id else None
        if call is None or call.line is None or not asked.heard.complete:
            continue
        if receipt is not None and receipt.served in _FREE and not (call.silent or receipt.attempts):
            expected = evidence.amount(call, evidence.scene.upstream_of(asked.wish.question.model)[1])
            if receipt.would_have_cost.pico != expected:
                told = f"{receipt.id} ({receipt.served}) would have cost {receipt.would_have_cost.pico}, not {expected}"
                yield Broken("worth of a hit", asked.wish.number, told)
        yield from _usage_told(asked, call)


def _usage_told(asked: Asked, call: Call) -> Iterator[Broken]:
    line, told = call.line, asked.heard.usage
    assert line is not None
    if asked.wish.stream and not asked.wish.wants_usage:
        if told is not None:
            yield Broken("usage as asked", asked.wish.number, "usage came that was not asked for")
    elif not call.silent and told != (line.usage.input, line.usage.output):
        yield Broken(
            "usage as asked", asked.wish.number, f"usage {told}, billed {line.usage.input}, {line.usage.output}"
        )
