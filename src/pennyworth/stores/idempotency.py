"""Requests that are made once, remembered by this process. Gone with it, and so is every promise."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import msgspec

from pennyworth.ports import FirstResult, Found, Promise
from pennyworth.whom import Sort, Whom

COLUMN: Mapping[Sort, str] = {"user": "end_user", "client": "client", "scope": "scope"}
"""By what a promise is found when somebody is to be forgotten."""

_MOST = 100_000
_MOST_BYTES = 16 * 2**20


class _Row:
    __slots__ = ("ended", "promise", "result")

    def __init__(self, promise: Promise) -> None:
        self.promise = promise
        self.ended = False
        self.result: FirstResult | None = None


class MemoryIdempotency:
    """An ``Idempotency`` for one process. A promise it has begun is the asker's own, so it is never ``running``."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._rows: dict[bytes, _Row] = {}
        self._kept: dict[bytes, int] = {}
        """Whose results are here, the oldest first, and their size."""
        self._bytes = 0

    def begin(self, promise: Promise, now_s: float) -> Found:
        row = self._rows.get(promise.key)
        if row is not None and now_s >= row.promise.until_s:
            self._remove(promise.key)
            row = None
        if row is None:
            self._rows[promise.key] = _Row(promise)
            self._make_room(now_s)
            return Found("begun")
        if not hmac.compare_digest(row.promise.seal, promise.seal):
            return Found("other")
        if not row.ended:
            return Found("unknown")
        return Found("done", row.result) if row.result is not None else Found("not_kept")

    def finish(self, key: bytes, result: FirstResult | None) -> None:
        row = self._rows.get(key)
        if row is None or row.ended:
            return
        row.ended, row.result = True, result
        if result is not None:
            self._kept[key] = len(result.body)
            self._bytes += len(result.body)
        while self._bytes > self._most_bytes:
            self._let_go(next(iter(self._kept)))

    def drop(self, key: bytes) -> None:
        row = self._rows.get(key)
        if row is not None and not row.ended:
            self._remove(key)

    # As a place of which somebody is forgotten.

    place = "promises"

    def count(self, whom: Whom) -> int:
        return len(self._of(whom))

    def forget(self, whom: Whom) -> int:
        """The promise stays, without a name and without its result: it must not be paid for a second time."""
        found = self._of(whom)
        for key in found:
            if key in self._kept:
                self._let_go(key)
            row = self._rows[key]
            row.ended = True  # what is under way leaves no result: nobody could find it any more
            row.promise = msgspec.structs.replace(row.promise, scope="", client="", end_user="")
        return len(found)

    def _of(self, whom: Whom) -> list[bytes]:
        if not whom.value:
            return []  # those without a name are nobody's
        return [key for key, row in self._rows.items() if getattr(row.promise, COLUMN[whom.by]) == whom.value]

    def close(self) -> None:
        """Nothing to close."""

    def _make_room(self, now_s: float) -> None:
        """Looks at the few oldest with each promise, so that no single one pays for all."""
        oldest = [(key, self._rows[key]) for key, _ in zip(self._rows, range(4), strict=False)]
        for key, row in oldest:
            if now_s >= row.promise.until_s or (row.ended and len(self._rows) > self._most):
                self._remove(key)

    def _remove(self, key: bytes) -> None:
        if key in self._kept:
            self._let_go(key)
        del self._rows[key]

    def _let_go(self, key: bytes) -> None:
        self._bytes -= self._kept.pop(key)
        self._rows[key].result = None
