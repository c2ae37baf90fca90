"""Forgetting somebody among the requests that are made once, beside the workers that make them.

A promise stays, without a name and without its result, also of a request that is under way: it must not be paid for a second
time, and whose result comes later could not be found any more.
"""

from __future__ import annotations

from pathlib import Path

from pennyworth.stores.cover import Marks
from pennyworth.stores.erasing import empty_log
from pennyworth.stores.idempotency import COLUMN
from pennyworth.stores.idempotency_sqlite import SCHEMA
from pennyworth.stores.opening import beside
from pennyworth.whom import Whom

_WAIT_S = 5.0


class PromisesErased:
    """A ``Forgets`` over the promises in a file."""

    place = "promises"

    def __init__(self, path: Path, marks: Marks) -> None:
        self._path = path
        self._marks = marks

    def count(self, whom: Whom) -> int:
        column = COLUMN[whom.by]
        with beside(self._path, SCHEMA, _WAIT_S) as db:
            if db is None or not whom.value:
                return 0  # those without a name are nobody's
            found = db.execute(f"SELECT count(*) FROM once WHERE {column} IN (?, ?)", self._names(whom))  # noqa: S608
            return int(found.fetchone()[0])

    def forget(self, whom: Whom) -> int:
        column = COLUMN[whom.by]
        with beside(self._path, SCHEMA, _WAIT_S) as db:
            if db is None or not whom.value:
                return 0  # those without a name are nobody's
            gone = db.execute(
                f"UPDATE once SET ended = 1, result = NULL, scope = '', client = '', end_user = '' WHERE {column} IN (?, ?)",  # noqa: S608
                self._names(whom),
            ).rowcount
            empty_log(db, self._path)
            return gone

    def _names(self, whom: Whom) -> tuple[str, str]:
        """In clear and covered: the file may hold rows of both kinds."""
        return whom.value, self._marks(whom.by, whom.value)
