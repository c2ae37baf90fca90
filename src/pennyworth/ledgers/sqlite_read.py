"""What people ask of the SQLite ledger, inside the caller's transaction: totals and lists of receipts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from pennyworth.ledgers.lines import to_receipt
from pennyworth.ledgers.sqlite_schema import joined
from pennyworth.ledgers.tally import Part, Tally, part_of, totals_of
from pennyworth.ledgers.window import HOUR_S, Window, day_label, hour_label, hour_of, window
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group

_GROUP_COLUMN: Mapping[Group, str] = {
    "": "''",
    "model": "f.model",
    "scope": "f.scope",
    "served": "f.served",
    "route": "f.route",
    "client": "f.client",
    "team": "f.team",
    "day": "s.hour",
    "hour": "s.hour",
}

_COUNTS = ("requests", "calls", "input", "output", "cached", "estimated", "unpriced")
_HALVES = ("spent_hi", "spent_lo", "would_hi", "would_lo", "own_hi", "own_lo")
_HOURS = "JOIN facets f ON f.id = s.facet WHERE s.hour >= ? AND s.hour < ?"


def totals_in(connection: sqlite3.Connection, since_s: float, until_s: float, by: Group) -> dict[str, Totals]:
    """Totals over [since_s, until_s): whole hours from the sums, what is left at the edges from the receipts."""
    span = _widened(connection, window(since_s, until_s))
    return totals_of(_parts(connection, span, by), by)


def receipts_before(
    connection: sqlite3.Connection, limit: int, before_s: float | None, where: Mapping[str, str]
) -> list[Receipt]:
    """The newest receipts whose columns have these values; the names of the columns have been checked."""
    conditions, values = ["1"], []
    if before_s is not None:
        conditions.append("at < ?")
        values.append(before_s)
    if where:
        matching = " AND ".join(f"{name} = ?" for name in where)
        conditions.append(f"facet IN (SELECT id FROM facets WHERE {matching})")  # noqa: S608
    statement = f"SELECT body FROM receipts WHERE {' AND '.join(conditions)} ORDER BY at DESC LIMIT ?"  # noqa: S608
    rows = connection.execute(statement, (*values, *where.values(), limit))
    return [to_receipt(body) for (body,) in rows]


def receipts_of_run(
    connection: sqlite3.Connection, run: str, since_s: float, until_s: float, where: Mapping[str, str]
) -> list[Receipt]:
    """What one run of a worker has booked in [since_s, until_s): its receipts' ids hold its name."""
    conditions, values = ["at >= ? AND at < ? AND instr(id, ?) > 0"], [since_s, until_s, f"-{run}-"]
    for name, value in where.items():
        conditions.append(f"facet IN (SELECT id FROM facets WHERE {name} = ?)")  # noqa: S608 our own names
        values.append(value)
    rows = connection.execute(f"SELECT body FROM receipts WHERE {' AND '.join(conditions)}", values)  # noqa: S608
    return [to_receipt(body) for (body,) in rows]


def _widened(connection: sqlite3.Connection, span: Window) -> Window:
    # "The last 24 hours until now" cuts through two hours. Where nothing lies in the part cut off, which is so for the
    # hour that is still going on, the whole hour's sum is the same and spares reading its receipts.
    if span.since_s >= span.until_s:
        return span
    start = float(hour_of(span.since_s) * HOUR_S)
    end = float(-hour_of(-span.until_s) * HOUR_S)
    since_s = span.since_s if _any_between(connection, start, span.since_s) else start
    until_s = span.until_s if _any_between(connection, span.until_s, end) else end
    return window(since_s, until_s)


def _any_between(connection: sqlite3.Connection, start: float, end: float) -> bool:
    statement = "SELECT EXISTS (SELECT 1 FROM receipts WHERE at >= ? AND at < ?)"
    return bool(connection.execute(statement, (start, end)).fetchone()[0])


def _parts(connection: sqlite3.Connection, span: Window, by: Group) -> Iterator[Part]:
    if span.first_hour < span.end_hour:
        yield from _from_sums(connection, span, by)
        yield from _from_saved(connection, span, by)
    for edge in span.edges:
        for (body,) in connection.execute("SELECT body FROM receipts WHERE at >= ? AND at < ?", edge):
            yield part_of(to_receipt(body), by)


def _from_sums(connection: sqlite3.Connection, span: Window, by: Group) -> Iterator[Part]:
    added = ", ".join(f"SUM(s.{name})" for name in (*_COUNTS, *_HALVES))
    statement = f"SELECT {_GROUP_COLUMN[by]}, f.served, f.ending, {added} FROM sums s {_HOURS} GROUP BY 1, 2, 3"  # noqa: S608
    for group, served, ending, *columns in connection.execute(statement, (span.first_hour, span.end_hour)):
        counts, halves = columns[: len(_COUNTS)], columns[len(_COUNTS) :]
        tally = Tally(
            **dict(zip(_COUNTS, counts, strict=True)),
            spent=joined(*halves[0:2]),
            would=joined(*halves[2:4]),
            own=joined(*halves[4:6]),
        )
        yield Part(_label(by, group), served, ending, tally)


def _from_saved(connection: sqlite3.Connection, span: Window, by: Group) -> Iterator[Part]:
    statement = f"SELECT {_GROUP_COLUMN[by]}, s.layer, SUM(s.hi), SUM(s.lo) FROM saved s {_HOURS} GROUP BY 1, 2"  # noqa: S608
    for group, layer, hi, lo in connection.execute(statement, (span.first_hour, span.end_hour)):
        yield Part(_label(by, group), "", "", Tally(saved={layer: joined(hi, lo)}))


def _label(by: Group, group: str | int) -> str:
    match by:
        case "day":
            return day_label(int(group))
        case "hour":
            return hour_label(int(group))
        case _:
            return str(group)
