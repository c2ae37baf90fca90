"""Lays the gateway's receipts beside the provider's bill, call by call, by the id that the provider gave each request.

A pure function of the two. The provider does not charge for replies it broke itself; the gateway cannot know that and books
an estimate: these are listed apart, with their amounts. Everything else must be equal to the picodollar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from pennyworth.ledgers.balance import balances
from pennyworth.money import ZERO, Money
from pennyworth.outcome import AttemptNote, Receipt
from pennyworth.sandbox import BillLine

_MOST_NAMED = 20


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that the provider broke off: what we booked for it by estimate, and what it charged."""

    request_id: str
    model: str
    estimated: Money
    billed: Money


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        calls, billed_calls: upstream calls by our receipts, and requests on the bill.
        agreed: calls that both know, with the same amount to the picodollar; ``agreed_amount``: their sum.
        unanswered: calls that broke before the provider could give them an id: matched by their number alone.
        broken: replies broken off by the provider: estimated by us, free on its bill.
        spent, saved, would_have_cost: sums over the receipts.
        differences: everything else, in words. Empty, or the books do not balance.
    """

    calls: int
    billed_calls: int
    agreed: int
    agreed_amount: Money
    bill_amount: Money
    unanswered: int
    broken: tuple[Broken, ...]
    receipts: int
    spent: Money
    saved: Money
    would_have_cost: Money
    differences: tuple[str, ...]

    @property
    def estimated(self) -> Money:
        return sum((each.estimated for each in self.broken), ZERO)

    @property
    def balanced(self) -> bool:
        return not self.differences


class _Matched(NamedTuple):
    """Both books by request id: what stands in both, and what in one alone."""

    pairs: list[tuple[Receipt, AttemptNote, BillLine]]
    ours_alone: list[tuple[Receipt, AttemptNote]]
    theirs_alone: list[BillLine]
    nameless: list[AttemptNote]


def reconcile(receipts: Sequence[Receipt], bill: Sequence[BillLine]) -> Reconciliation:
    """Both books, compared. ``receipts``: all there are. ``bill``: all its lines."""
    matched = _matched(receipts, bill)
    spent, saved, would = _sums(receipts)
    broken = [(attempt, line) for _, attempt, line in matched.pairs if _is_broken(attempt, line)]
    agreed = [attempt.spent for _, attempt, line in matched.pairs if _agrees(attempt, line)]
    differences = [
        *_wrong_amounts(matched),
        *_unknown_to_provider(matched),
        *_nameless(matched),
        *_twice(receipts, bill),
        *_unbalanced(receipts, spent, saved, would),
        *_lost_money(receipts, spent),
    ]
    return Reconciliation(
        calls=sum(len(receipt.attempts) for receipt in receipts),
        billed_calls=len(bill),
        agreed=len(agreed),
        agreed_amount=sum(agreed, ZERO),
        bill_amount=Money(sum(line.amount_pico for line in bill)),
        unanswered=len(matched.nameless),
        broken=tuple(_broken(attempt, line) for attempt, line in broken),
        receipts=len(receipts),
        spent=spent,
        saved=saved,
        would_have_cost=would,
        differences=tuple(_few(differences)),
    )


def _matched(receipts: Sequence[Receipt], bill: Sequence[BillLine]) -> _Matched:
    lines = {line.request_id: line for line in bill}
    attempts = [(receipt, attempt) for receipt in receipts for attempt in receipt.attempts]
    named = [(receipt, attempt, attempt.provider_request_id) for receipt, attempt in attempts]
    pairs = [(receipt, attempt, lines[at]) for receipt, attempt, at in named if at in lines]
    paired = {line.request_id for _, _, line in pairs}
    return _Matched(
        pairs=pairs,
        ours_alone=[(receipt, attempt) for receipt, attempt, at in named if at and at not in lines],
        theirs_alone=[line for line in bill if line.request_id not in paired],
        nameless=[attempt for _, attempt, at in named if not at],
    )


def _is_broken(attempt: AttemptNote, line: BillLine) -> bool:
    """The provider broke its own reply, and so charges nothing; and we had to guess."""
    return not line.billed and line.status == 200 and attempt.basis == "estimated"


def _broken(attempt: AttemptNote, line: BillLine) -> Broken:
    return Broken(request_id=line.request_id, model=line.model, estimated=attempt.spent, billed=Money(line.amount_pico))


def _agrees(attempt: AttemptNote, line: BillLine) -> bool:
    return attempt.spent.pico == line.amount_pico and not _is_broken(attempt, line)


def _wrong_amounts(matched: _Matched) -> Iterator[str]:
    for receipt, attempt, line in matched.pairs:
        if _is_broken(attempt, line) or _agrees(attempt, line):
            continue
        apart = attempt.spent.pico - line.amount_pico
        yield (
            f"{line.request_id}: receipt {receipt.id} says {attempt.spent.pico} picodollars ({attempt.basis}), "
            f"the bill {line.amount_pico}: {apart:+d}"
        )


def _unknown_to_provider(matched: _Matched) -> Iterator[str]:
    for receipt, attempt in matched.ours_alone:
        yield f"{attempt.provider_request_id}: on receipt {receipt.id}, not on the bill"


def _nameless(matched: _Matched) -> Iterator[str]:
    """Calls that broke before their head came have no id on our side: as many as the provider dropped, and free."""
    dropped = [line for line in matched.theirs_alone if line.status == 0 and not line.billed]
    for line in matched.theirs_alone:
        if line not in dropped:
            yield f"{line.request_id}: on the bill ({line.amount_pico} picodollars, status {line.status}), on no receipt"
    if len(matched.nameless) != len(dropped):
        yield f"{len(matched.nameless)} calls on receipts got no reply at all; the provider dropped {len(dropped)}"
    for attempt in matched.nameless:
        if attempt.spent:
            yield f"a call to {attempt.target} without a reply is booked at {attempt.spent.pico} picodollars"


def _twice(receipts: Sequence[Receipt], bill: Sequence[BillLine]) -> Iterator[str]:
    ours = [attempt.provider_request_id for receipt in receipts for attempt in receipt.attempts]
    theirs = [line.request_id for line in bill]
    for name, ids in (("on several receipts", ours), ("on the bill several times", theirs)):
        for request_id, number in Counter(filter(None, ids)).items():
            if number > 1:
                yield f"{request_id}: {name} ({number} times)"


def _sums(receipts: Sequence[Receipt]) -> tuple[Money, Money, Money]:
    spent = sum(receipt.spent.pico for receipt in receipts)
    saved = sum(amount.pico for receipt in receipts for amount in receipt.saved.values())
    return Money(spent), Money(saved), Money(sum(receipt.would_have_cost.pico for receipt in receipts))


def _unbalanced(receipts: Sequence[Receipt], spent: Money, saved: Money, would: Money) -> Iterator[str]:
    for receipt in receipts:
        if not balances(receipt):
            yield f"receipt {receipt.id}: spent and saved do not add up to what it would have cost"
    if spent + saved != would:
        yield f"in all, spent {spent} + saved {saved} is not {would}"


def _lost_money(receipts: Sequence[Receipt], spent: Money) -> Iterator[str]:
    """What the receipts say was spent is what their calls cost, and nothing besides but own work."""
    calls = sum(attempt.spent.pico for receipt in receipts for attempt in receipt.attempts)
    own = sum(receipt.own.pico for receipt in receipts)
    if spent.pico != calls + own:
        yield f"receipts say {spent.pico} picodollars were spent, their calls come to {calls}, own work to {own}"
    unknown = [receipt.id for receipt in receipts if receipt.ending == "unknown"]
    if unknown:
        yield f"{len(unknown)} receipts have an unknown outcome: the gateway did not end in order"


def _few(differences: list[str]) -> list[str]:
    if len(differences) <= _MOST_NAMED:
        return differences
    return [*differences[:_MOST_NAMED], f"and {len(differences) - _MOST_NAMED} more"]
