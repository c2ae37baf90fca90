"""Booking records into the SQLite ledger: inside the caller's transaction, whole or not at all.

Python's SQLite lets go of the interpreter for each step of a statement and has to win it back from whoever serves
requests meanwhile. So records are booked many to a statement, and a batch costs some thirty steps, not one a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import msgspec

from pennyworth.ledgers.lines import Booked
from pennyworth.ledgers.postings import Posting
from pennyworth.ledgers.sqlite_schema import split
from pennyworth.ledgers.tally import Counted, Facet, Tally, facet_fields
from pennyworth.ledgers.window import hour_of
from pennyworth.outcome import Receipt

FacetIds = dict[tuple[str, ...], int]
"""The ids of facets that are in the file for certain: a facet is never removed, and its id never changes."""

_ROWS = 512
"""Rows a statement at most. Portions are powers of two, so that there are few different statements to prepare."""

_MANY_FACETS = 10_000
"""Beyond so many known ids they are forgotten, rather than held for a deployment with a scope for each user."""

_SUM_COLUMNS = (
    *("requests", "calls", "input", "output", "cached", "estimated", "unpriced"),
    *("spent_hi", "spent_lo", "would_hi", "would_lo", "own_hi", "own_lo"),
)

_ADD_RECEIPTS = "INSERT OR IGNORE INTO receipts (id, at, facet, body) VALUES {rows}"

_ADD_FACET = (
    f"INSERT OR IGNORE INTO facets ({', '.join(Facet._fields)}) VALUES ({', '.join('?' for _ in Facet._fields)})"  # noqa: S608
)
_FIND_FACET = f"SELECT id FROM facets WHERE {' AND '.join(f'{name} = ?' for name in Facet._fields)}"  # noqa: S608

_ADD_SUMS = (
    f"INSERT INTO sums (hour, facet, {', '.join(_SUM_COLUMNS)}) VALUES {{rows}}"  # noqa: S608 our own names
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _SUM_COLUMNS)}"
)

_ADD_SAVED = (
    "INSERT INTO saved (hour, facet, layer, hi, lo) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET hi = hi + excluded.hi, lo = lo + excluded.lo"
)

_OPEN = "SELECT json_group_array(id) FROM intents"
_SETTLE = "DELETE FROM intents WHERE id IN (VALUES {rows})"
_MORE = (
    "ifnull(json_extract(CAST(excluded.body AS TEXT), '$.estimate.pico'), 0)"
    " > ifnull(json_extract(CAST(intents.body AS TEXT), '$.estimate.pico'), 0)"
)
"""Each call of a request has its intent, whose estimate holds what earlier calls have cost: the largest is the last."""

_NOTE = (
    "INSERT INTO intents SELECT column1, column2, column3 FROM (VALUES {rows})"  # noqa: S608 our own words
    " WHERE NOT EXISTS (SELECT 1 FROM receipts WHERE id = column1)"
    " ON CONFLICT DO UPDATE SET owner = iif(owner = '', excluded.owner, owner),"
    f" body = iif({_MORE}, excluded.body, body) WHERE owner = '' OR {_MORE}"
)


_Placed = tuple[str, float, int, bytes]
"""A row of ``receipts``: id, time, facet, line."""


class _Done(NamedTuple):
    """How many rows a statement added or changed, and the number of the last that was added."""

    changed: int
    last_row: int


_ids = msgspec.json.Decoder(list[str]).decode


def book(connection: sqlite3.Connection, booked: Sequence[Booked], owner: str, facet_ids: FacetIds) -> int:
    """Books receipts and notes intents, ``owner``'s or nobody's (""); returns how many receipts were new.

    ``facet_ids`` grows. Should the transaction be undone, the caller must forget them.
    """
    receipts = [(record, line) for record, line in booked if isinstance(record, Posting | Receipt)]
    new = _book_receipts(connection, receipts, facet_ids)
    settled = {record.id for record, _ in receipts}
    _settle(connection, settled)
    if len(receipts) < len(booked):
        _note(connection, [one for one in booked if one.record.id not in settled], owner)
    return new


def _book_receipts(
    connection: sqlite3.Connection, receipts: Sequence[tuple[Counted, bytes]], facet_ids: FacetIds
) -> int:
    placed: list[_Placed] = []
    for record, line in receipts:
        facet = facet_fields(record)
        placed.append((record.id, record.at_s, facet_ids.get(facet) or facet_id(connection, facet, facet_ids), line))
    done = _in_portions(connection, _ADD_RECEIPTS, placed)
    counted: Iterable[tuple[_Placed, Counted]] = zip(placed, (record for record, _ in receipts), strict=True)
    if done.changed < len(placed):
        first = {pair[0][0]: pair for pair in reversed(list(counted))}
        counted = [first[receipt_id] for receipt_id in _added(connection, done)]
    _add(connection, counted)
    return done.changed


def _added(connection: sqlite3.Connection, done: _Done) -> list[str]:
    """The ids that were not there before. A new row's number is the highest yet, so they are the last so many."""
    if not done.changed:
        return []
    before = done.last_row - done.changed
    found = connection.execute("SELECT json_group_array(id) FROM receipts WHERE rowid > ?", (before,)).fetchone()
    return _ids(found[0])


def _add(connection: sqlite3.Connection, counted: Iterable[tuple[_Placed, Counted]]) -> None:
    sums: dict[tuple[int, int], Tally] = {}
    for (_, at_s, facet, _), record in counted:
        place = (hour_of(at_s), facet)
        tally = sums.get(place) or sums.setdefault(place, Tally())
        tally.add(record)
    _add_tallies(connection, sums)


def _add_tallies(connection: sqlite3.Connection, sums: dict[tuple[int, int], Tally]) -> None:
    _in_portions(connection, _ADD_SUMS, [(*place, *_columns(tally)) for place, tally in sums.items()])
    _in_portions(
        connection,
        _ADD_SAVED,
        [(*place, layer, *split(pico)) for place, tally in sums.items() for layer, pico in tally.saved.items()],
    )


def facet_id(connection: sqlite3.Connection, facet: tuple[str, ...], known: FacetIds) -> int:
    """The id of a facet, made if it is new."""
    if (found := known.get(facet)) is not None:
        return found
    if len(known) >= _MANY_FACETS:
        known.clear()
    connection.execute(_ADD_FACET, facet)
    row = connection.execute(_FIND_FACET, facet).fetchone()
    return known.setdefault(facet, int(row[0]))


def _columns(tally: Tally) -> tuple[int, ...]:
    counts = (tally.requests, tally.calls, tally.input, tally.output, tally.cached, tally.estimated, tally.unpriced)
    return (*counts, *split(tally.spent), *split(tally.would), *split(tally.own))


def _settle(connection: sqlite3.Connection, settled: set[str]) -> None:
    # Open intents are few (calls in flight), receipts are many: look which of them are open rather than delete each.
    if settled:
        still_open = set(_ids(connection.execute(_OPEN).fetchone()[0]))
        _in_portions(connection, _SETTLE, [(key,) for key in still_open & settled])


def _note(connection: sqlite3.Connection, intents: Iterable[Booked], owner: str) -> None:
    _in_portions(connection, _NOTE, [(record.id, owner, line) for record, line in intents])


def _in_portions(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> _Done:
    """Executes the statement over all rows, many at a time."""
    changed = start = last_row = 0
    portion = _ROWS
    while start < len(rows):
        while portion > len(rows) - start:
            portion //= 2
        some = rows[start : start + portion]
        done = connection.execute(_for_rows(statement, portion, len(some[0])), list(chain.from_iterable(some)))
        changed += done.rowcount
        last_row = done.lastrowid or 0
        start += portion
    return _Done(changed, last_row)


@cache
def _for_rows(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))


def carry_over(connection: sqlite3.Connection, moves: Iterable[tuple[Receipt, int, int]]) -> None:
    """What these receipts add to the sums of one facet is taken from there and added to another's."""
    sums: dict[tuple[int, int], Tally] = {}
    for receipt, source, to in moves:
        hour = hour_of(receipt.at_s)
        sums.setdefault((hour, source), Tally()).take(receipt)
        sums.setdefault((hour, to), Tally()).add(receipt)
    _add_tallies(connection, sums)
