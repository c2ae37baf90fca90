"""Receipts and bill, compared call by call: what is equal, what is apart, and what is a difference."""

import msgspec
import pytest

from pennyworth.demo.reconcile import reconcile
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Receipt
from pennyworth.sandbox import BillLine, Tokens


def line(number=1, pico=100, **changes):
    fields = {
        "number": number,
        "request_id": f"req_{number}",
        "model": "m",
        "tenant": "t",
        "usage": Tokens(input=10, output=5),
        "amount_pico": pico,
        "completed": True,
        "billed": True,
        "stream": False,
        "status": 200,
    }
    return BillLine(**fields | changes)


def call(number=1, pico=100, **changes):
    fields = {
        "target": "sandbox/m",
        "status": 200,
        "ending": "complete",
        "usage": Usage(input=10, output=5),
        "spent": Money(pico),
        "basis": "metered",
        "provider_request_id": f"req_{number}",
    }
    return AttemptNote(**fields | changes)


def receipt(*calls, name="r-1", **changes):
    spent = Money(sum(each.spent.pico for each in calls))
    fields = {
        "id": name,
        "at_s": 1.0,
        "scope": "s",
        "model": "m",
        "served": "upstream",
        "ending": "complete",
        "status": 200,
        "attempts": calls,
        "spent": spent,
        "would_have_cost": spent,
    }
    return Receipt(**fields | changes)


HIT = receipt(name="r-hit", served="exact", would_have_cost=Money(100), saved={"exact": Money(100)})
DROPPED_LINE = line(2, 0, status=0, billed=False, completed=False, fault="reset")
DROPPED_CALL = call(2, 0, status=0, ending="error", usage=None, basis="none", provider_request_id="")
CUT_LINE = line(2, 0, billed=False, completed=False, fault="cut")
CUT_CALL = call(2, 70, ending="cut", basis="estimated")
REFUSED_LINE = line(2, 0, status=429, billed=False, completed=False, fault="status")
REFUSED_CALL = call(2, 0, status=429, ending="error", usage=None, basis="none")


def test_a_call_that_both_know_with_one_amount_agrees():
    books = reconcile([receipt(call()), HIT], [line()])
    assert books.balanced
    assert (books.calls, books.billed_calls, books.agreed, books.receipts) == (1, 1, 1, 2)
    assert books.agreed_amount == books.bill_amount == Money(100)
    assert (books.spent, books.saved, books.would_have_cost) == (Money(100), Money(100), Money(200))


def test_nothing_at_all_balances():
    assert reconcile([], []).balanced


@pytest.mark.parametrize(
    ("receipts", "bill"),
    [
        ([receipt(call(), REFUSED_CALL)], [line(), REFUSED_LINE]),
        ([receipt(call(), DROPPED_CALL)], [line(), DROPPED_LINE]),
        ([receipt(call()), receipt(name="r-2", ending="refused")], [line()]),
        ([receipt(call(1)), receipt(call(2), name="r-2")], [line(2), line(1)]),
    ],
    ids=["refused and free", "dropped before its head", "refused by us", "in another order"],
)
def test_these_balance(receipts, bill):
    books = reconcile(receipts, bill)
    assert books.differences == ()
    assert books.calls == books.billed_calls


@pytest.mark.parametrize(
    ("receipts", "bill", "said"),
    [
        ([receipt(call())], [line(), line(2)], "req_2: on the bill (100 picodollars, status 200), on no receipt"),
        ([receipt(call(), call(2))], [line()], "req_2: on receipt r-1, not on the bill"),
        ([receipt(call(pico=101))], [line()], "+1"),
        ([receipt(call())], [line(pico=101)], "-1"),
        ([receipt(call(pico=0))], [line()], "-100"),
        ([receipt(call(basis="unpriced", pico=0))], [line()], "unpriced"),
        ([receipt(call(), call(1))], [line()], "req_1: on several receipts (2 times)"),
        ([receipt(call())], [line(), line()], "req_1: on the bill several times"),
        ([receipt(call(), DROPPED_CALL)], [line()], "1 calls on receipts got no reply at all; the provider dropped 0"),
        ([receipt(call())], [line(), DROPPED_LINE], "0 calls on receipts got no reply at all; the provider dropped 1"),
        ([receipt(msgspec.structs.replace(DROPPED_CALL, spent=Money(5)))], [DROPPED_LINE], "booked at 5 picodollars"),
        ([receipt(call(), would_have_cost=Money(101))], [line()], "receipt r-1: spent and saved do not add up"),
        ([receipt(call(), spent=Money(99), would_have_cost=Money(99))], [line()], "say 99 picodollars were spent"),
        ([receipt(call(), ending="unknown")], [line()], "unknown outcome"),
        ([receipt(CUT_CALL)], [line(2, 70, completed=False, status=200), line(3)], "req_3"),
    ],
    ids=[
        "an extra call on the bill",
        "a call missing from the bill",
        "one picodollar too much",
        "one picodollar too little",
        "a call booked for nothing",
        "an unpriced call",
        "one call booked twice",
        "one call billed twice",
        "a dropped call the provider never saw",
        "a dropped call we never booked",
        "money for a call without a reply",
        "a receipt that does not balance",
        "money that is on no call",
        "a worker that died",
        "an extra call beside a broken one",
    ],
)
def test_these_are_differences(receipts, bill, said):
    books = reconcile(receipts, bill)
    assert not books.balanced
    assert any(said in difference for difference in books.differences), books.differences


def test_a_reply_the_provider_broke_is_listed_apart_with_its_estimate():
    books = reconcile([receipt(call(), CUT_CALL)], [line(), CUT_LINE])
    assert books.balanced
    assert [(each.request_id, each.estimated.pico, each.billed.pico) for each in books.broken] == [("req_2", 70, 0)]
    assert books.estimated == Money(70)
    assert books.agreed == 1
    assert books.spent == Money(170)


def test_an_estimate_is_no_excuse_where_the_provider_did_charge():
    books = reconcile([receipt(CUT_CALL)], [line(2, 71, completed=False)])
    assert not books.balanced


def test_many_differences_are_cut_short_and_counted():
    books = reconcile([], [line(number) for number in range(1, 101)])
    assert len(books.differences) == 21
    assert books.differences[-1] == "and 80 more"
