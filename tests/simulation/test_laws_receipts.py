"""The laws of the simulation ask no more of the gateway than it promises, and no less."""

from __future__ import annotations

from random import Random

import pytest

from pennyworth.outcome import Receipt
from pennyworth.simulation.history import Asked, History, Order
from pennyworth.simulation.laws import Broken, Evidence
from pennyworth.simulation.laws_receipts import receipts
from pennyworth.simulation.people import Tenant
from pennyworth.simulation.scene import scene
from pennyworth.simulation.wishes import Wishes, questions


def judged(*, tag: bool, handed_over: bool, status: int, written: int) -> list[Broken]:
    """What is said of one whose key was revoked just before, who heard of no receipt, where so many were written."""
    chance, history = Random(1), History()
    wishes = Wishes(chance, [Tenant("t1", "sk-1", "key:v1", "v1")], questions(chance, 6), 0.0)
    wish = next(wish for wish in iter(wishes.wish, None) if bool(wish.tag) is tag)
    left = not status
    history.orders.append(Order(1.0, "revoke", "v1"))
    history.asked.append(
        Asked(
            wish=wish,
            sent_s=1.1,
            sent_wall_s=1.1,
            ended_s=1.2,
            status=status,
            whole=not left,
            left=left,
            handed_over=handed_over,
        )
    )
    history.receipts += [
        Receipt(
            id=f"r{number}",
            at_s=1.2,
            scope="key:v1",
            model="",
            served="none",
            ending="caller_left",
            status=499,
        )
        for number in range(written)
    ]
    return list(receipts(Evidence(scene(chance, 2), history, lambda call, model: 0, False)))


@pytest.mark.parametrize("handed_over", [True, False])
@pytest.mark.parametrize("tag", [True, False])
@pytest.mark.parametrize("written", [0, 1])
def test_who_left_while_his_key_was_being_revoked_may_have_come_in_or_not(
    tag: bool, handed_over: bool, written: int
) -> None:
    assert judged(tag=tag, handed_over=handed_over, status=0, written=written) == []


@pytest.mark.parametrize("tag", [True, False])
def test_nobody_has_two_receipts_whose_key_is_revoked(tag: bool) -> None:
    assert [broken.law for broken in judged(tag=tag, handed_over=True, status=0, written=2)] == ["one receipt"]


@pytest.mark.parametrize("tag", [True, False])
def test_who_was_turned_away_has_no_receipt(tag: bool) -> None:
    assert judged(tag=tag, handed_over=True, status=401, written=0) == []
    assert [broken.law for broken in judged(tag=tag, handed_over=True, status=401, written=1)] == ["one receipt"]
