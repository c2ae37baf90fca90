"""One statement for many rows.

Python's SQLite lets go of the interpreter for each step of a statement, and has to win it back from whoever serves
requests meanwhile: that costs more than the step. So a batch is written in few steps of many rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

_ROWS = 256
"""Rows a statement at most. Larger ones are no faster, and their parameters stay in memory with the prepared statement:
1,024 rows of 13 columns took 25 MB more (``docs/decisions/0004-journal-and-ledger.md``)."""


def write_many(db: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Executes the statement over all rows. Portions are powers of two: so there are few statements to prepare."""
    start, portion = 0, _ROWS
    while start < len(rows):
        while portion > len(rows) - start:
            portion //= 2
        some = rows[start : start + portion]
        db.execute(_with_rows(statement, portion, len(some[0])), list(chain.from_iterable(some)))
        start += portion


def for_many(statement: str, values: Sequence[object]) -> list[tuple[str, tuple[object, ...]]]:
    """The statement to execute for all these values, each of which it may meet more than once."""
    found = []
    for start in range(0, len(values), _ROWS):
        some = tuple(values[start : start + _ROWS])
        portion = 1 << (len(some) - 1).bit_length()
        found.append((_with_rows(statement, portion, 1), some + some[:1] * (portion - len(some))))
    return found


@cache
def _with_rows(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))
