"""The highest hit rate a stream allows, and where each hit that was not one went."""

import msgspec
import pytest

from pennyworth.decide.lifetime import compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.demo import ceiling as reasons
from pennyworth.demo.ceiling import ceiling
from pennyworth.demo.heard import Heard, Reply, with_receipts
from pennyworth.demo.questions import Question
from pennyworth.demo.stream import Asking
from pennyworth.outcome import Receipt

RULES = compile_rules(DEFAULT_LIFETIMES, "other")
PLAIN = "How do I open an account?"
NOW = "What is the exchange rate right now?"


def asking(text=PLAIN, number=0):
    return Asking(number=0, question=Question(number, "i", text), text=text, stream=False, sync=False)


def heard(began, ended, served="upstream", text=PLAIN, number=0, **changes):
    reply = Reply(**{"number": 0, "began_s": began, "ended_s": ended, "finish": "stop"} | changes)
    return Heard(asking=asking(text, number), reply=reply, served=served)


@pytest.mark.parametrize(
    ("stream", "repeats", "missed"),
    [
        ([heard(0, 1), heard(2, 3, "exact"), heard(4, 5, "normalised")], 2, {}),
        ([heard(0, 1), heard(2, 3, number=1)], 0, {}),
        ([heard(0, 1, text=NOW), heard(2, 3, text=NOW)], 1, {reasons.REALTIME: 1}),
        ([heard(0, 5), heard(1, 6)], 1, {reasons.IN_FLIGHT: 1}),
        ([heard(0, 1, "", failure="status 502"), heard(2, 3)], 1, {reasons.AFTER_FAULT: 1}),
        ([heard(0, 1, finish="length"), heard(2, 3)], 1, {reasons.AFTER_FAULT: 1}),
        ([heard(0, 1), heard(2, 3, "", failure="status 502")], 1, {reasons.NO_REPLY: 1}),
        ([heard(0, 1), heard(2, 3)], 1, {reasons.OTHER: 1}),
        ([heard(1, 5), heard(0, 5, "coalesced")], 1, {}),
    ],
)
def test_every_repeat_is_a_hit_or_has_a_reason(stream, repeats, missed):
    found = ceiling(stream, RULES)
    assert (found.repeats, found.missed) == (repeats, missed)
    assert sum(each.hit for each in stream) + sum(found.missed.values()) == found.repeats


def receipt(name, served):
    return Receipt(id=name, at_s=1.0, scope="s", model="m", served=served, ending="complete", status=200)


def reply(**changes):
    return Reply(number=0, began_s=0, ended_s=1, finish="stop", receipt="r-1", **changes)


def test_a_reply_whose_receipt_is_not_in_the_ledger_is_wrong():
    (told,) = with_receipts([asking()], [reply()], {})
    assert "r-1" in told.wrong


def test_the_answer_to_another_wording_is_right_on_a_normalised_hit_and_nowhere_else():
    def told(served):
        return with_receipts([asking()], [reply(reworded=True)], {"r-1": receipt("r-1", served)})[0]

    assert told("normalised").wrong == ""
    assert told("normalised").served == "normalised"
    for served in ("exact", "coalesced", "upstream"):
        assert served in told(served).wrong


def test_what_a_client_found_wrong_stays_wrong_whatever_the_receipt():
    (told,) = with_receipts([asking()], [reply(wrong="truncated")], {"r-1": receipt("r-1", "exact")})
    assert told.wrong == "truncated"


def test_a_reply_fits_in_one_write_to_a_shared_pipe():
    longest = Reply(
        number=10**6, began_s=10**6 / 7, ended_s=10**6 / 3, receipt="r" * 40, finish="content_filter", wrong="x" * 200
    )
    assert len(msgspec.json.encode(longest)) < 512
