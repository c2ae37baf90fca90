"""What a sweep removes: keys past their stale window, and those that the control row kills.

Hits ask ``Control.kills`` themselves, so this only gives room back. Expiry has an index. Purges have none: they look at
all keys in turn, a slice in each transaction, and only when there may be something to find.
"""

from __future__ import annotations

import sqlite3

from pennyworth.stores.cover import Marks
from pennyworth.stores.removal import CANDIDATE, SOURCE, Candidate, Removal
from pennyworth.stores.schema import all_of, load_totals
from pennyworth.view import Control

_SLICE = 2_000
"""Keys looked at in a transaction: a few milliseconds."""

_GATHER = f"SELECT json_group_array(json_array({CANDIDATE})) FROM {SOURCE} WHERE"  # noqa: S608 our own names
_EXPIRED = f"{_GATHER} k.n IN (SELECT n FROM keys WHERE dead_s <= ? LIMIT ?)"  # noqa: S608

_PURGES = "CREATE TEMP TABLE IF NOT EXISTS purges (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID"
_SLICE_END = "SELECT max(n) FROM (SELECT n FROM keys WHERE n > ? ORDER BY n LIMIT ?)"
_SELECTED = "EXISTS (SELECT 1 FROM temp.purges WHERE epoch > k.asked_epoch AND name "
_KILLED = f"""{_GATHER} k.n > ? AND k.n <= ? AND (k.created_s < ? OR k.asked_epoch < ? AND (
    {_SELECTED} IN ('all:', 'model:' || k.model, 'scope:' || k.scope, 'key:' || k.asked_key,
                    'key:' || lower(hex(substr(k.key, 1, 8))), 'client:' || k.client, 'user:' || k.end_user))
    OR k.tags <> '' AND {_SELECTED} IN (SELECT 'tag:' || value FROM json_each(k.tags)))))"""  # noqa: S608
"""``Control.kills``, where the purges stand in a table."""


def remove_expired(db: sqlite3.Connection, now_s: float) -> int:
    """Up to a slice of those past their stale window. How many it was: fewer than a slice when none is left."""
    return _remove(db, _EXPIRED, (now_s, _SLICE))


def is_full(removed: int) -> bool:
    return removed == _SLICE


def selects_the_same(one: Control, other: Control) -> bool:
    return one.purges == other.purges and one.older_than_s == other.older_than_s


def prepare(db: sqlite3.Connection, control: Control, marks: Marks) -> None:
    """Before the first slice. Names stand beside keys in clear or covered, by what was on when the row was written."""
    db.execute(_PURGES)
    db.execute("DELETE FROM temp.purges")
    covered = {_covered(name, marks): epoch for name, epoch in control.purges.items()}
    db.executemany("INSERT INTO temp.purges VALUES (?, ?)", (control.purges | covered).items())


def _covered(name: str, marks: Marks) -> str:
    kind, _, value = name.partition(":")
    return name if kind in ("all", "key") else f"{kind}:{marks(kind, value)}"


def remove_killed(db: sqlite3.Connection, control: Control, after: int) -> tuple[int, int | None]:
    """Of the next slice of keys, those that are killed: how many, and after which to go on; ``None`` at the end."""
    end = db.execute(_SLICE_END, (after, _SLICE)).fetchone()[0]
    if end is None:
        return 0, None
    latest = max(control.purges.values(), default=0)
    return _remove(db, _KILLED, (after, end, control.older_than_s, latest)), end


def _remove(db: sqlite3.Connection, gather: str, values: tuple[float, ...]) -> int:
    totals = load_totals(db)
    removal = Removal(totals)
    for one in map(Candidate._make, all_of(db, gather, values)):
        removal.add(one)
    removal.execute(db)
    if len(removal):
        totals.save(db)
    return len(removal)
