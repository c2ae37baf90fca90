"""The thread that writes a cache file: puts in batches, eviction, sweeping, and opening the file again after trouble.

Requests never wait for it. It takes a turn as soon as there is something to write, after gathering for a moment, and
once a second anyway: to try again after trouble, and to notice that another process has set the file aside.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from pennyworth.errors import ConfigError, StoreError
from pennyworth.outcome import Kept
from pennyworth.request import Key
from pennyworth.stores import rows
from pennyworth.stores.backlog import Backlog
from pennyworth.stores.database import Database
from pennyworth.stores.opening import DamagedError
from pennyworth.view import Control

_GATHER_S = 0.1
"""How long a turn waits for company: a put costs 340 µs of CPU alone and 70 µs in a full batch."""

_TURN_S = 1.0
_BATCH = 256
_MARKS = 8192


class Writer(threading.Thread):
    """Writes one ``Database``.

    Attributes:
        trouble: why nothing can be written at present, "" when all is well.
        lost: puts given up: no row can hold them.
        tight: the file is more than half full, so that what is read should be marked, against eviction.
    """

    def __init__(self, database: Database, seal: rows.Seal, backlog: Backlog, max_entries: int, max_bytes: int) -> None:
        super().__init__(name=f"store {database.path.name}", daemon=True)
        self.trouble = ""
        self.lost = 0
        self.tight = False
        self._database = database
        self._seal = seal
        self._backlog = backlog
        self._limits = (max_entries, max_bytes)
        self._read: deque[Key] = deque(maxlen=_MARKS)
        self._sweeps: deque[tuple[Control, float, Future[int]]] = deque()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._ending = threading.Event()
        self._over = threading.Event()

    def open(self) -> None:
        """The first opening, by the constructing thread. ``ConfigError`` is for the operator; other trouble may pass."""
        try:
            self._database.open()
        except StoreError as error:
            self._stumble(f"{error}")

    def nudge(self) -> None:
        self._wake.set()

    def note_read(self, key: Key) -> None:
        """A key was read: it deserves another round. Of more than a few thousand a turn, the last are marked."""
        self._read.append(key)

    def sweep(self, control: Control, now_s: float) -> Future[int]:
        """Asks for a sweep; the future is done after it, and after all that was put before it."""
        asked: Future[int] = Future()
        self._sweeps.append((control, now_s, asked))
        self._urgent.set()
        self._wake.set()
        if self._over.is_set():
            self._answer_sweeps("closed")
        return asked

    def end(self) -> None:
        """A last turn, then the thread ends."""
        self._ending.set()
        self._urgent.set()
        self._wake.set()

    def run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(_TURN_S)
            self._urgent.wait(_TURN_S if self.trouble else _GATHER_S)
            self._urgent.clear()
            self._wake.clear()
            self._turn()
        self._turn()
        self._database.close()
        self._over.set()
        self._answer_sweeps("closed")

    def _turn(self) -> None:
        try:
            self._database.open()
            self._write_marks()  # first: they decide whom the next puts push out
            self._write_backlog()
            self._measure()
            self.trouble = ""
        except DamagedError as error:
            self._database.condemn(f"{error}")
            self._stumble(f"{error}")
        except (StoreError, ConfigError) as error:
            self._stumble(f"{error}")
        except Exception as error:  # the top of a thread: were it to die, no put would ever be written again
            self._stumble(f"unexpected: {error!r}")
        self._answer_sweeps(self.trouble)

    def _stumble(self, words: str) -> None:
        if words != self.trouble:
            self.trouble = words
            self._database.on_trouble(words)

    def _write_backlog(self) -> None:
        while batch := self._backlog.batch(_BATCH):
            sealed = self._sealed(batch)
            with self._database.transaction() as db:
                for row in sealed:
                    rows.write(db, row)
                rows.evict(db, *self._limits)
            self._backlog.done(batch)
            self._measure()

    def _sealed(self, batch: list[Kept]) -> list[rows.Row]:
        sealed = []
        for kept in batch:
            try:
                row = self._seal.close(kept)
            except (ValueError, OverflowError):  # nothing that can be encoded: it would stop the queue for ever
                self.lost += 1
                continue
            if row.size + rows.PER_KEY <= self._limits[1]:
                sealed.append(row)
        return sealed

    def _write_marks(self) -> None:
        if not self._read:
            return
        marked = {self._read.popleft() for _ in range(len(self._read))}
        with self._database.transaction() as db:
            rows.mark_read(db, marked)

    def _measure(self) -> None:
        entries, _, answers, _ = rows.totals(self._database.read(rows.TOTALS, ()))
        self.tight = 2 * entries > self._limits[0] or 2 * rows.taken(entries, answers) > self._limits[1]

    def _answer_sweeps(self, refusal: str) -> None:
        while self._sweeps:
            control, now_s, asked = self._sweeps.popleft()
            if not asked.set_running_or_notify_cancel():
                continue
            try:
                if refusal:
                    raise StoreError(refusal)
                asked.set_result(self._sweep(control, now_s))
            except Exception as error:  # whatever it is, whoever asked is told, and the thread goes on
                asked.set_exception(error)

    def _sweep(self, control: Control, now_s: float) -> int:
        """In small transactions, so that other processes write between them; and so do our own puts."""
        swept, some = 0, _BATCH
        while some == _BATCH:
            self._write_backlog()
            with self._database.transaction() as db:
                some = rows.delete_dead(db, control, now_s, _BATCH)
            swept += some
        return swept
