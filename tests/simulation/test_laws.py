"""What a law forbids and what it lets pass, told by histories of a few lines."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from pennyworth.outcome import AttemptNote, Intent, Receipt
from pennyworth.sandbox.bill import BillLine, Tokens
from pennyworth.simulation.history import Call, History
from pennyworth.simulation.laws import Evidence
from pennyworth.simulation.laws_books import books
from pennyworth.simulation.laws_receipts import receipts
from pennyworth.simulation.parts import Disk
from pennyworth.simulation.people import People, Tenant
from pennyworth.simulation.scene import scene

PEOPLE = People([Tenant("t1", "sk-client-1", "t1")])
REQUEST, MODEL = "r-1", "gpt-4o-mini"
TARGET = f"alpha/{MODEL}"
INTENT = Intent(id=REQUEST, at_s=1.0, scope="t1", model=MODEL, target=TARGET)
UNSEEN = AttemptNote(target=TARGET, ending="error", fault="the connection broke")
"""A call whose reply never began, and so without a name."""


def receipt(*attempts: AttemptNote) -> Receipt:
    about = Receipt(
        id=REQUEST, at_s=1.0, worker="w0", scope="t1", model=MODEL, served="none", ending="error", status=502
    )
    return msgspec.structs.replace(about, attempts=attempts)


def seen(call: str) -> AttemptNote:
    return AttemptNote(target=TARGET, ending="error", status=500, provider_request_id=call)


def calls(history: History, number: int) -> None:
    """So many that a provider saw, ``req_1`` the first: each failed, and costs nothing."""
    common = {"model": MODEL, "tenant": "t1"}
    failed = {"amount_pico": 0, "completed": False, "billed": False, "stream": False, "status": 500}
    for name in [f"req_{i + 1}" for i in range(number)]:
        line = BillLine(number=1, request_id=name, usage=Tokens(), **common, **failed)  # type: ignore[arg-type]
        came = {"arrived_s": 1.0, "arrived_wall_s": 1.0, "shown": "sk-alpha", "marked": "", "fields": {}}
        history.calls_for(Call(provider="alpha", id=name, line=line, **common, **came))  # type: ignore[arg-type]


def dies(history: History) -> None:
    history.crashes += 1
    Disk(PEOPLE).recover(history, "w0-0")


def broken(history: History) -> list[str]:
    place = msgspec.structs.replace(scene(Random(1), 1), people=PEOPLE)
    evidence = Evidence(place, history, lambda call, model: 0, False)
    return [found.law for law in (books, receipts) for found in law(evidence)]


@pytest.mark.parametrize("taken", [[True], [False], [True, False], [False, True], [False, False]])
def test_a_death_leaves_as_many_calls_unnamed_as_were_announced_whether_or_not_the_disk_took_it(
    taken: list[bool],
) -> None:
    def died(made: int) -> History:
        history = History()
        for took in taken:
            (history.acknowledge if took else history.refuse)(INTENT)
        calls(history, made)
        dies(history)
        return history

    assert broken(died(len(taken))) == []
    assert broken(died(len(taken) + 1)) == ["books are the bill"]


@pytest.mark.parametrize("took", [True, False])
def test_a_request_announced_by_a_process_that_lives_has_a_receipt(took: bool) -> None:
    history = History()
    dies(history)  # an earlier life excuses nothing
    (history.acknowledge if took else history.refuse)(INTENT)
    calls(history, 1)
    assert broken(history) == ["books are the bill", "one receipt"]


@pytest.mark.parametrize("dead", [True, False])
def test_a_receipt_that_the_disk_refused_says_all_the_same_which_calls_it_stands_for(dead: bool) -> None:
    def refused(made: int) -> History:
        history = History()
        history.acknowledge(INTENT)
        history.acknowledge(INTENT)
        history.refuse(receipt(seen("req_1"), UNSEEN))
        calls(history, made)
        if dead:
            dies(history)
        return history

    assert broken(refused(2)) == []
    assert broken(refused(3)) == ["books are the bill"]


def test_a_receipt_that_came_stands_for_its_own_calls_and_not_for_what_was_announced() -> None:
    history = History()
    history.refuse(INTENT)
    history.acknowledge(INTENT)
    history.acknowledge(receipt(seen("req_1")))
    calls(history, 2)
    dies(history)
    assert broken(history) == ["books are the bill"]
