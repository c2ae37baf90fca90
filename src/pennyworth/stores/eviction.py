"""Which keys go when the file is full: two queues, and who was read since the last turn gets another.

The short queue of newcomers gives nearly what the memory store's S3-FIFO gives, without remembering evicted keys
(``docs/decisions/0003-eviction.md``). The oldest are looked at many at a time, and decided one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from pennyworth.request import Key
from pennyworth.stores.many import for_many
from pennyworth.stores.opening import DamagedError
from pennyworth.stores.removal import CANDIDATE, Candidate, Removal
from pennyworth.stores.schema import PROVEN, THESE_KEYS, Totals, all_of

NEWCOMERS = 0.1
"""Share of the keys that have not been read again since they came; beyond it these are evicted first."""

_LOOK = 1024

_MARK_READ = f"UPDATE keys SET read = 1 WHERE read = 0 AND {THESE_KEYS}"  # noqa: S608 our own names
_OLDEST = (
    f"SELECT json_group_array(json_array({CANDIDATE})) FROM"  # noqa: S608 our own names
    " (SELECT n, read, answer FROM keys WHERE n >= ? AND n < ? ORDER BY n LIMIT ?) AS k"
    " LEFT JOIN answers AS a ON a.n = k.answer"
)
_LAST = "SELECT max(n) FROM keys"
_TO_THE_BACK = "UPDATE keys SET n = ? + j.key, read = 0 FROM json_each(?) AS j WHERE n = j.value"


class Limits(NamedTuple):
    """What all keys of the file may take, all processes together."""

    entries: int
    bytes: int

    def excess(self, totals: Totals) -> int:
        """About how many keys must go; 0 when there is room for all."""
        too_large = totals.taken - self.bytes
        by_size = 1 + too_large * totals.entries // totals.taken if too_large > 0 else 0
        return max(totals.entries - self.entries, by_size, 0)

    def are_near(self, totals: Totals) -> bool:
        """More than half full: what is read should be marked, against eviction."""
        return 2 * totals.entries > self.entries or 2 * totals.taken > self.bytes


def mark_read(db: sqlite3.Connection, keys: Collection[Key]) -> None:
    for statement, some in for_many(_MARK_READ, list(keys)):
        db.execute(statement, some)


def evict(db: sqlite3.Connection, limits: Limits, totals: Totals) -> None:
    """Removes keys until both limits hold."""
    while excess := limits.excess(totals):
        start = _queue(totals)
        oldest = all_of(db, _OLDEST, (start, start + PROVEN, min(2 * excess + 8, _LOOK)))
        if not oldest:
            raise DamagedError("the totals do not match the rows")
        removal = Removal(totals)
        kept = []
        for one in map(Candidate._make, oldest):
            if not limits.excess(totals) or _queue(totals) != start:
                break
            if one.read:
                kept.append(one.n)
                totals.newcomers -= start == 0
            else:
                removal.add(one)
        removal.execute(db)
        totals.evictions += len(removal)
        _to_the_back(db, kept)


def _queue(totals: Totals) -> int:
    """Where the numbers begin of the queue whose oldest is next."""
    proven = totals.newcomers < totals.entries and totals.newcomers <= NEWCOMERS * totals.entries
    return PROVEN if proven else 0


def _to_the_back(db: sqlite3.Connection, kept: list[int]) -> None:
    if kept:
        last = max(db.execute(_LAST).fetchone()[0], PROVEN)
        db.execute(_TO_THE_BACK, (last + 1, msgspec.json.encode(kept).decode()))
