"""Keys to be removed, with the answers that no other key leads to, and what is left then."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import NamedTuple

import msgspec

from pennyworth.stores.schema import PROVEN, Totals

CANDIDATE = "k.n, k.read, k.answer, coalesce(a.keys, 0), coalesce(a.size, 0)"
"""The columns of a ``Candidate`` in ``SOURCE``."""

SOURCE = "keys AS k LEFT JOIN answers AS a ON a.n = k.answer"


class Candidate(NamedTuple):
    """A key that may have to go; of its answer, how many keys lead to it and its size (0 when it is missing)."""

    n: int
    read: int
    answer: int
    keys: int
    size: int


class Removal:
    """Collects keys; ``totals`` says at once what there will be without them. Nothing is removed before ``execute``."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._keys: list[int] = []
        self._gone: list[int] = []
        self._fewer: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, one: Candidate) -> None:
        self._keys.append(one.n)
        self._totals.entries -= 1
        self._totals.newcomers -= one.n < PROVEN
        self._fewer[one.answer] += 1
        if self._fewer[one.answer] == one.keys:
            self._gone.append(one.answer)
            self._totals.bytes -= one.size

    def execute(self, db: sqlite3.Connection) -> None:
        if not self._keys:
            return
        db.execute("DELETE FROM keys WHERE n IN (SELECT value FROM json_each(?))", (_json(self._keys),))
        for answer in self._gone:
            del self._fewer[answer]
        drop_answers(db, self._gone)
        count_keys(db, {answer: -fewer for answer, fewer in self._fewer.items()})


def drop_answers(db: sqlite3.Connection, answers: list[int]) -> None:
    if answers:
        db.execute("DELETE FROM answers WHERE n IN (SELECT value FROM json_each(?))", (_json(answers),))


def count_keys(db: sqlite3.Connection, more: dict[int, int]) -> None:
    """So many more keys lead to these answers."""
    if more:
        db.execute(
            "UPDATE answers SET keys = keys + json_extract(j.value, '$[1]') FROM json_each(?) AS j"
            " WHERE n = json_extract(j.value, '$[0]')",
            (_json(list(more.items())),),
        )


def _json(values: list[int] | list[tuple[int, int]]) -> str:
    return msgspec.json.encode(values).decode()
