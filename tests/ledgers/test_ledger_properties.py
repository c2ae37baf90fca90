"""The law of the books: sums are exact and balance, whatever the order, the repeats, the cuts and the window."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.memory import MemoryLedger
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.ledgers.tally import group_key
from pennyworth.ledgers.window import hour_of
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Intent, Receipt, Totals
from pennyworth.ports import Ledger
from pennyworth.testing.contract_ledger import NOON_S, intent

GROUPS = ("", "model", "scope", "served", "route", "day", "hour")
moments = st.integers(0, 12 * 3600).map(lambda s: NOON_S + s / 4) | st.sampled_from([NOON_S, NOON_S + 3600])
amounts = st.integers(-(2**66), 2**66)
tokens = st.integers(0, 2**33)
bases = st.sampled_from(["metered", "estimated", "unpriced", "none"])


@st.composite
def balanced_receipts(draw: st.DrawFn) -> Receipt:
    spent = draw(amounts)
    layers = st.sampled_from(["exact", "normalised", "routing", "own"])
    saved = draw(st.dictionaries(layers, amounts, max_size=3))
    calls = draw(st.integers(0, 2))
    return Receipt(
        id=f"r{draw(st.integers(0, 25))}",
        at_s=draw(moments),
        scope=draw(st.sampled_from("ab")),
        model=draw(st.sampled_from(["small", "large"])),
        route=draw(st.sampled_from(["", "vip"])),
        served=draw(st.sampled_from(["exact", "upstream"])),
        ending=draw(st.sampled_from(["complete", "cut"])),
        status=200,
        attempts=(AttemptNote(target="t", ending="complete"),) * calls,
        usage=draw(st.none() | st.builds(Usage, input=tokens, output=tokens, cached=tokens)),
        spent=Money(spent),
        basis=draw(bases),
        would_have_cost=Money(spent + sum(saved.values())),
        would_basis=draw(bases),
        saved={layer: Money(pico) for layer, pico in saved.items()},
        own=Money(draw(amounts)),
        parent=draw(st.sampled_from(["", "", "r0"])),
    )


@st.composite
def ways_to_fold(draw: st.DrawFn) -> tuple[list[Receipt], list[list[Receipt | Intent]]]:
    """Receipts with ids of their own, and folds in which each occurs at least once, among intents, in any order."""
    receipts = draw(st.lists(balanced_receipts(), max_size=15, unique_by=lambda receipt: receipt.id))
    repeats = draw(st.lists(st.sampled_from(receipts), max_size=10)) if receipts else []
    intents = [intent(f"r{number}") for number in draw(st.lists(st.integers(0, 30), max_size=6))]
    records = draw(st.permutations([*receipts, *repeats, *intents]))
    folds: list[list[Receipt | Intent]] = [[]]
    for record in records:
        if draw(st.booleans()):
            folds.append([])
        folds[-1].append(record)
    return receipts, folds


def added_up(receipts: list[Receipt]) -> Totals:
    requests = [receipt for receipt in receipts if not receipt.parent]
    layers = {layer for receipt in receipts for layer in receipt.saved}
    usages = [receipt.usage for receipt in receipts if receipt.usage is not None]
    saved = {a: sum(r.saved[a].pico for r in receipts if a in r.saved) for a in layers}
    return Totals(
        requests=len(requests),
        served={a: n for a in ("exact", "upstream") if (n := sum(r.served == a for r in requests))},
        endings={a: n for a in ("complete", "cut") if (n := sum(r.ending == a for r in requests))},
        upstream_calls=sum(len(receipt.attempts) for receipt in receipts),
        input_tokens=sum(usage.input for usage in usages),
        output_tokens=sum(usage.output for usage in usages),
        cached_tokens=sum(usage.cached for usage in usages),
        spent=Money(sum(receipt.spent.pico for receipt in receipts)),
        would_have_cost=Money(sum(receipt.would_have_cost.pico for receipt in receipts)),
        saved={layer: Money(pico) for layer, pico in saved.items() if pico},
        own=Money(sum(receipt.own.pico for receipt in receipts)),
        estimated_requests=sum("estimated" in (r.basis, r.would_basis) for r in receipts),
        unpriced_requests=sum("unpriced" in (r.basis, r.would_basis) for r in receipts),
    )


def expected(receipts: list[Receipt], since_s: float, until_s: float, by: str) -> dict[str, Totals]:
    inside = [receipt for receipt in receipts if since_s <= receipt.at_s < until_s]
    groups: dict[str, list[Receipt]] = {"": []} if by == "" else {}
    for receipt in inside:
        groups.setdefault(group_key(by, hour_of(receipt.at_s), receipt), []).append(receipt)
    return {key: added_up(members) for key, members in groups.items()}


@contextmanager
def both_ledgers() -> Iterator[list[Ledger]]:
    with tempfile.TemporaryDirectory() as folder:
        ledgers = [MemoryLedger(), SqliteLedger(Path(folder) / "ledger.sqlite")]
        yield ledgers
        for ledger in ledgers:
            ledger.close()


@settings(max_examples=40, deadline=None)
@given(ways_to_fold(), st.lists(st.tuples(moments, moments, st.sampled_from(GROUPS)), max_size=8))
def test_totals_are_the_sum_of_the_receipts_however_they_were_folded(way, windows) -> None:
    receipts, folds = way
    with both_ledgers() as ledgers:
        for ledger in ledgers:
            assert sum(ledger.fold(records) for records in folds) == len(receipts)
            for since, until, by in [(0.0, float("inf"), by) for by in GROUPS] + windows:
                assert ledger.totals(since, until, by) == expected(receipts, since, until, by)


@settings(max_examples=20, deadline=None)
@given(ways_to_fold())
def test_when_every_receipt_balances_every_total_does(way) -> None:
    receipts, folds = way
    assert all(balances(receipt) for receipt in receipts)
    with both_ledgers() as ledgers:
        for ledger in ledgers:
            for records in folds:
                ledger.fold(records)
            for by in GROUPS:
                assert all(balances(total) for total in ledger.totals(0, float("inf"), by).values())


def test_books_that_are_a_picodollar_out_do_not_balance() -> None:
    saved = {"exact": Money(3), "own": Money(-1)}
    assert balances(Totals(spent=Money(2), saved=saved, would_have_cost=Money(4)))
    assert not balances(Totals(spent=Money(2), saved=saved, would_have_cost=Money(5)))
