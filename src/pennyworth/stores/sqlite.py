"""Kept answers in one SQLite file (WAL), shared by the worker processes of a machine and outliving them.

Reading happens at once, on the caller's thread: about ten microseconds, never longer than a short timeout. Writing is
the ``Writer`` thread's. A file that turns out damaged is set aside and begun anew; a damaged row is a miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from pennyworth.errors import StoreError
from pennyworth.outcome import Kept
from pennyworth.ports import StoreUsage
from pennyworth.request import Key
from pennyworth.stores.backlog import Backlog
from pennyworth.stores.cover import Cover
from pennyworth.stores.database import Database
from pennyworth.stores.schema import READ, READ_SALTED, SCHEMA, TOTALS, totals_of
from pennyworth.stores.seal import Seal
from pennyworth.stores.writer import Writer
from pennyworth.view import Control

_READ_S = 0.03
"""In WAL mode readers and writers do not wait for each other; whoever holds the whole file for longer is in trouble."""

_WRITE_S = 1.0
_CLOSE_S = 5.0


def _no_report(message: str) -> None:
    """Nobody wants to know."""


class SqliteStore:
    """A ``Store`` in a file. Open it in the process that uses it, after any fork: it has a thread and connections.

    Args:
        secret: authenticates the rows; the same in all processes that share the file.
        max_entries, max_bytes: bounds over all processes: keys, and bytes of rows with their indices.
        cover: how answers lie in the file; in clear without one.
        backlog_bytes: puts not written yet may take so much memory; beyond it they are dropped and counted.
        on_trouble: told once, in words, when a file is set aside or writing fails; from any thread.

    Raises:
        ConfigError: the file was written by a newer Pennyworth, or is another program's.

    Attributes:
        dropped: puts refused because the backlog was full or the file could not be written.
        damaged: reads that found a row which does not prove itself: a miss each.
    """

    immediate = True

    def __init__(
        self,
        path: Path,
        secret: bytes,
        max_entries: int,
        max_bytes: int,
        *,
        cover: Cover | None = None,
        backlog_bytes: int = 32 * 2**20,
        on_trouble: Callable[[str], None] = _no_report,
    ) -> None:
        self.dropped = 0
        self.damaged = 0
        self._usage = StoreUsage(entries=0, bytes=0, max_entries=max_entries, max_bytes=max_bytes, evictions=0)
        self._seal = Seal(secret, cover)
        self._read_sql = READ_SALTED if self._seal.cover.salted else READ
        self._backlog = Backlog(backlog_bytes)
        self._database = Database(path, SCHEMA, on_trouble, _READ_S, _WRITE_S)
        self._writer = Writer(self._database, self._seal, self._backlog, max_entries, max_bytes)
        self._writer.open()
        self._writer.start()

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present; "" when all is well."""
        return self._writer.trouble

    @property
    def lost(self) -> int:
        """Accepted puts that no row can hold."""
        return self._writer.lost

    async def get(self, key: Key, now_s: float) -> Kept | None:
        kept = self._backlog.get(key)
        if kept is None:
            kept = self._read(key)
        else:
            self._writer.note_read(key)
        if kept is None or now_s >= kept.expires_s + kept.stale_s:
            return None
        return kept

    async def put(self, kept: Kept) -> None:
        if self._writer.trouble:
            self.dropped += 1
            raise StoreError(self._writer.trouble)
        if len(kept.answer.raw) > self._usage.max_bytes:
            return
        if self._backlog.add(kept):
            self._writer.nudge(hurry=self._backlog.crowded)
        else:
            self.dropped += 1

    async def sweep(self, control: Control, now_s: float) -> int:
        return await asyncio.wrap_future(self._writer.sweep(control, now_s))

    def usage(self) -> StoreUsage:
        """Of the file, all processes together; the last known figures while it cannot be read."""
        try:
            totals = totals_of(self._database.read(TOTALS, ()))
        except StoreError:
            return self._usage
        self._usage = msgspec.structs.replace(
            self._usage, entries=totals.entries, bytes=totals.taken, evictions=totals.evictions
        )
        return self._usage

    async def close(self) -> None:
        """Writes what is waiting, then closes; after a few seconds of trouble it gives up. May be called twice."""
        self._writer.end()
        await asyncio.to_thread(self._writer.join, _CLOSE_S)

    def _read(self, key: Key) -> Kept | None:
        row = self._database.read(self._read_sql, (key,))
        if row is None:
            return None
        head, mac, read, *rest = row
        kept = self._seal.open(key, head, mac, *rest)
        if kept is None:
            self.damaged += 1
        elif not read:
            self._writer.note_read(key)
        return kept
