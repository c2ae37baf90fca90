"""Carries records from the journal's segments to the ledger, and closes what dead workers left open.

Nothing can be lost here: a segment is removed only when all of it is in the ledger and nobody writes it any more. Nothing
can be counted twice either: the ledger decides, so any number of these may work on one folder, and die at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from pennyworth.errors import StoreError
from pennyworth.ledgers.journal import read_records
from pennyworth.ledgers.segment_book import OpenIntent, SegmentBook, Stretch
from pennyworth.ledgers.segments import DAMAGED_SUFFIX, Segment, sealed, segments_in
from pennyworth.outcome import AttemptNote, Receipt

ADOPT_S = 3.0


class JournalFolder:
    """Folds a journal folder into a ledger, in a thread of its own once ``start`` has been called.

    Attributes of construction:
        worker: whose segments are folded every ``interval_s``; "" = everybody's. The segments of others, living or
            dead, are folded at start, every few seconds and by ``flush``.
        on_trouble: told in words, from any thread, when folding begins to fail (it is retried), and of damaged lines.
    """

    def __init__(
        self,
        folder: str | Path,
        ledger: SegmentBook,
        *,
        worker: str = "",
        interval_s: float = 1.0,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._folder = Path(folder)
        self._ledger = ledger
        self._worker = worker
        self._interval_s = interval_s
        self._on_trouble = on_trouble
        self._offsets: dict[Segment, int] = {}
        self._trouble = ""
        self._one_pass = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="pennyworth-folder", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Returns when all that had been appended to the folder by anybody is in the ledger. Raises ``StoreError``."""
        with self._one_pass:
            try:
                for segment in segments_in(self._folder):
                    self._fold_or_retire(segment)
                self._close_intents()
            except OSError as error:
                raise StoreError(f"journal folder {self._folder}: {error}") from error

    def close(self) -> None:
        """Stops the thread after a last fold. Close the journal first: then its segments are cleared away, too."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._attempt(self.flush)

    def _run(self) -> None:
        passes_between = max(1, round(ADOPT_S / self._interval_s))
        passes = 0
        while not self._stop.is_set():
            self._attempt(self.flush if passes % passes_between == 0 else self.fold_own)
            passes += 1
            self._stop.wait(self._interval_s)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the edge of a thread: whatever goes wrong, the journal stays and is folded later
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._on_trouble(f"{error}. The journal keeps what is not folded yet; trying again.")
        else:
            self._trouble = ""

    def fold_own(self) -> None:
        """Folds this worker's segments as far as they have been written: what the thread does at each interval."""
        with self._one_pass:
            for segment in segments_in(self._folder):
                if self._worker in ("", segment.worker):
                    self._fold(segment)

    def _fold_or_retire(self, segment: Segment) -> None:
        with sealed(self._folder / segment.name) as mine:
            self._fold(segment, ended=mine)
            if mine:
                self._remove(segment)

    def _fold(self, segment: Segment, *, ended: bool = False) -> None:
        path = self._folder / segment.name
        try:
            size = path.stat().st_size
            if size == self._offsets.get(segment) and not ended:
                return
            offset = self._ledger.progress(segment.name).offset
            # What is appended meanwhile has the next pass, or passes would be small under load.
            while offset < size or ended:
                next_offset = self._fold_stretch(segment, path, offset, ended)
                if next_offset == offset:
                    break
                offset = next_offset
            self._offsets[segment] = offset
        except FileNotFoundError:
            self._offsets.pop(segment, None)  # somebody else has folded and removed it

    def _fold_stretch(self, segment: Segment, path: Path, start: int, ended: bool) -> int:
        """Where to go on: after what was read, or where the ledger says that somebody else has got to."""
        reading = read_records(path, start, ended=ended)
        if reading.next_offset == start:
            return start
        stretch = Stretch(segment.name, segment.owner, start, reading.next_offset, reading.booked, reading.damaged)
        if self._ledger.fold_stretch(stretch):
            return reading.next_offset
        return self._ledger.progress(segment.name).offset

    def _remove(self, segment: Segment) -> None:
        path = self._folder / segment.name
        damaged = self._ledger.progress(segment.name).damaged
        self._ledger.forget(segment.name)
        if damaged:
            path.rename(path.with_suffix(DAMAGED_SUFFIX))
            self._on_trouble(
                f"{damaged} damaged lines in {path}: skipped, the rest is booked; see its {DAMAGED_SUFFIX}"
            )
        else:
            path.unlink()
        self._offsets.pop(segment, None)

    def _close_intents(self) -> None:
        found = self._ledger.open_intents()
        if not found:
            return
        # A living worker always has a segment, but one listing may miss both the last, removed meanwhile, and the next,
        # not yet there when the listing began. The second begins after the next was there.
        living = {segment.owner for _ in range(2) for segment in segments_in(self._folder)}
        self._ledger.fold([outcome_unknown(item) for item in found if item.owner not in living])


def outcome_unknown(left: OpenIntent) -> Receipt:
    """The receipt of a call whose worker died before it was booked; the same whoever writes it."""
    intent = left.intent
    note = AttemptNote(target=intent.target, ending="unknown", spent=intent.estimate, basis=intent.basis)
    return Receipt(
        id=intent.id,
        at_s=intent.at_s,
        worker=left.owner.rpartition("-")[0],
        scope=intent.scope,
        model=intent.model,
        served="none",
        ending="unknown",
        status=0,
        reason="process ended before the reply was booked",
        target=intent.target,
        attempts=(note,),
        spent=intent.estimate,
        basis=intent.basis,
        would_have_cost=intent.estimate,
        would_basis=intent.basis,
        client=intent.client,
        team=intent.team,
    )
