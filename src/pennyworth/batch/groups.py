"""Requests that go into one batch at a provider: of one model and one path, as many as its API takes at once."""

from __future__ import annotations

import hashlib
from array import array
from typing import NamedTuple

from pennyworth.batch.card import Lane
from pennyworth.engine.passage import Passage
from pennyworth.engine.waiting import call_of
from pennyworth.money import Money
from pennyworth.outcome import Intent
from pennyworth.plan import Target
from pennyworth.request import Caller


class GroupKey(NamedTuple):
    """OpenAI takes one model and one path a batch."""

    target: str
    path: str


class Group:
    """Collected line by line; only numbers are held, the bodies are read again when it is sent.

    ``held``: the passages that have money set aside.
    """

    def __init__(self, target: Target, path: str) -> None:
        self.target = target
        self.path = path
        self.lines: array[int] = array("q")
        self.bytes = 0
        self.held: dict[int, Passage] = {}
        self._estimate = 0
        self._unpriced = False
        self._epoch: int | None = None

    def add(self, line: int, p: Passage, about: Money, *, unpriced: bool) -> None:
        self.lines.append(line)
        self.bytes += len(call_of(p).body) + 200
        self._estimate += about.pico
        self._unpriced |= unpriced
        self._epoch = p.epoch if self._epoch is None else min(self._epoch, p.epoch)
        if p.hold is not None:
            self.held[line] = p

    def lane(self, number: int, tag: str, now_s: float) -> Lane:
        run = hashlib.blake2b(tag.encode(), digest_size=4).hexdigest()
        return Lane(
            number=number,
            tag=tag,
            provider=self.target.provider.name,
            path=self.path,
            model=self.target.model,
            begun_s=now_s,
            lines=len(self.lines),
            receipt=f"r-{int(now_s * 1000):011x}-{run}-batch",
            estimate=self._estimate,
            epoch=self._epoch or 0,
        )

    def intent(self, lane: Lane, caller: Caller) -> Intent:
        return Intent(
            id=lane.receipt,
            at_s=lane.begun_s,
            scope=caller.scope,
            model=lane.model,
            target=self.target.name,
            estimate=Money(lane.estimate),
            basis="unpriced" if self._unpriced else "estimated",
            client=caller.client,
            team=caller.team,
        )


def key_of(p: Passage) -> GroupKey:
    return GroupKey(p.target.name, call_of(p).path)
