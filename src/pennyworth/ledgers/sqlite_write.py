"""Booking records into the SQLite ledger: inside the caller's transaction, whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from pennyworth.ledgers.lines import Booked
from pennyworth.ledgers.sqlite_schema import split
from pennyworth.ledgers.tally import Facet, Tally, facet_of
from pennyworth.ledgers.window import hour_of
from pennyworth.outcome import Receipt

_Sums = dict[tuple[int, int], Tally]

_SUM_COLUMNS = (
    *("requests", "calls", "input", "output", "cached", "estimated", "unpriced"),
    *("spent_hi", "spent_lo", "would_hi", "would_lo", "own_hi", "own_lo"),
)

_ADD_SUMS = (
    f"INSERT INTO sums (hour, facet, {', '.join(_SUM_COLUMNS)}) VALUES (?, ?{', ?' * len(_SUM_COLUMNS)})"  # noqa: S608
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _SUM_COLUMNS)}"
)

_ADD_SAVED = (
    "INSERT INTO saved (hour, facet, layer, hi, lo) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET hi = hi + excluded.hi, lo = lo + excluded.lo"
)


def book(connection: sqlite3.Connection, booked: Sequence[Booked], owner: str) -> int:
    """Books receipts and notes intents, ``owner``'s or nobody's (""); returns how many receipts were new."""
    new = _book_receipts(connection, booked)
    settled = {record.id for record, _ in booked if isinstance(record, Receipt)}
    _close(connection, settled)
    _note(connection, (one for one in booked if one.record.id not in settled), owner)
    return new


def _book_receipts(connection: sqlite3.Connection, booked: Iterable[Booked]) -> int:
    facet_ids: dict[Facet, int] = {}
    sums: _Sums = {}
    new = 0
    for record, line in booked:
        if not isinstance(record, Receipt):
            continue
        facet = facet_of(record)
        facet_id = facet_ids.get(facet) or facet_ids.setdefault(facet, _facet_id(connection, facet))
        row = (record.id, record.at_s, facet_id, line)
        if connection.execute("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?)", row).rowcount:
            new += 1
            place = (hour_of(record.at_s), facet_id)
            tally = sums.get(place) or sums.setdefault(place, Tally())
            tally.add(record)
    _add(connection, sums)
    return new


def _facet_id(connection: sqlite3.Connection, facet: Facet) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO facets (scope, model, route, served, ending) VALUES (?, ?, ?, ?, ?)", facet
    )
    row = connection.execute(
        "SELECT id FROM facets WHERE scope = ? AND model = ? AND route = ? AND served = ? AND ending = ?", facet
    ).fetchone()
    return int(row[0])


def _add(connection: sqlite3.Connection, sums: _Sums) -> None:
    connection.executemany(_ADD_SUMS, [(*place, *_columns(tally)) for place, tally in sums.items()])
    connection.executemany(
        _ADD_SAVED,
        [(*place, layer, *split(pico)) for place, tally in sums.items() for layer, pico in tally.saved.items()],
    )


def _columns(tally: Tally) -> tuple[int, ...]:
    counts = (tally.requests, tally.calls, tally.input, tally.output, tally.cached, tally.estimated, tally.unpriced)
    return (*counts, *split(tally.spent), *split(tally.would), *split(tally.own))


def _close(connection: sqlite3.Connection, settled: set[str]) -> None:
    # Open intents are few (calls in flight), receipts are many: look which of them are open rather than delete each.
    still_open = {row[0] for row in connection.execute("SELECT id FROM intents")}
    connection.executemany("DELETE FROM intents WHERE id = ?", [(key,) for key in still_open & settled])


def _note(connection: sqlite3.Connection, intents: Iterable[Booked], owner: str) -> None:
    connection.executemany(
        "INSERT INTO intents SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM receipts WHERE id = ?1)"
        " ON CONFLICT DO UPDATE SET owner = excluded.owner WHERE owner = ''",
        [(record.id, owner, line) for record, line in intents],
    )
