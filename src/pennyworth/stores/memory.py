"""Kept answers in this process's memory: the first place to look. Read this beside ``ports.py`` to write a backend.

Two decisions shape it: what to evict is ``S3Fifo``'s business, and an answer that several keys lead to is held, and
counted, once. It writes nothing anywhere: it is gone with the process.
"""

from __future__ import annotations

import asyncio
import threading

import msgspec

from pennyworth.outcome import Answer, Kept
from pennyworth.ports import StoreUsage
from pennyworth.request import Key
from pennyworth.stores.s3fifo import S3Fifo
from pennyworth.view import Control
from pennyworth.whom import Whom

_PER_KEY = 450
"""Bytes of memory a key costs besides its answer (measured: ``benchmarks/store.py``)."""

_PER_ANSWER = 850
"""Bytes of memory an answer costs besides its text."""

_SLICE = 500
"""Entries looked at before the event loop gets its turn: about a millisecond."""


class MemoryStore:
    """A ``Store`` in memory, and a ``Forgets``, bounded by entries (keys) and by bytes. Every operation is O(1), but for ``sweep``.

    ``get`` takes no lock and may be called from any thread; writers exclude each other.
    """

    immediate = True
    place = "answers"

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: S3Fifo[Key, Kept] = S3Fifo()
        self._answers: dict[str, tuple[Answer, int]] = {}  # id -> the one copy, and how many keys lead to it
        self._bytes = 0
        self._evictions = 0
        self._writing = threading.Lock()

    async def get(self, key: Key, now_s: float) -> Kept | None:
        kept = self._kept.get(key)
        if kept is None or now_s >= kept.expires_s + kept.stale_s:
            return None
        return kept

    async def put(self, kept: Kept) -> None:
        if _PER_KEY + _size(kept.answer) > self._max_bytes:
            return
        with self._writing:
            replaced = self._kept.put(kept.key, self._shared(kept))
            if replaced is not None:
                self._let_go(replaced)
            while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
                self._let_go(self._kept.evict())
                self._evictions += 1

    async def sweep(self, control: Control, now_s: float) -> int:
        removed = 0
        keys = self._kept.keys()
        for start in range(0, len(keys), _SLICE):
            removed += self._sweep(keys[start : start + _SLICE], control, now_s)
            await asyncio.sleep(0)
        return removed

    def count(self, whom: Whom) -> int:
        return len(self._of(whom))

    def forget(self, whom: Whom) -> int:
        """From whatever thread."""
        with self._writing:
            theirs = self._of(whom)
            for kept in theirs:
                self._kept.remove(kept.key)
                self._let_go(kept)
        return len(theirs)

    def usage(self) -> StoreUsage:
        return StoreUsage(
            entries=len(self._kept),
            bytes=self._bytes,
            max_entries=self._max_entries,
            max_bytes=self._max_bytes,
            evictions=self._evictions,
        )

    async def close(self) -> None:
        """Nothing to close: the memory goes with the object."""

    def _sweep(self, keys: list[Key], control: Control, now_s: float) -> int:
        with self._writing:
            doomed = [kept for key in keys if (kept := self._kept.peek(key)) and _is_dead(kept, control, now_s)]
            for kept in doomed:
                self._kept.remove(kept.key)
                self._let_go(kept)
        return len(doomed)

    def _of(self, whom: Whom) -> list[Kept]:
        keys = self._kept.keys()
        return [kept for key in keys if (kept := self._kept.peek(key)) and whom.asked(kept.answer)]

    def _shared(self, kept: Kept) -> Kept:
        """The same, with the copy of its answer that is already here, if there is one; counted in."""
        answer, keys = self._answers.get(kept.answer.id, (kept.answer, 0))
        self._bytes += _PER_KEY if keys else _PER_KEY + _size(answer)
        if answer is not kept.answer and answer != kept.answer:  # an id used twice: never give one answer for another
            self._bytes += _size(kept.answer) - _size(answer)
            answer = kept.answer
        self._answers[answer.id] = (answer, keys + 1)
        return kept if answer is kept.answer else msgspec.structs.replace(kept, answer=answer)

    def _let_go(self, kept: Kept) -> None:
        """Counts an entry out, and its answer with the last key that led to it."""
        answer, keys = self._answers.pop(kept.answer.id)
        self._bytes -= _PER_KEY if keys > 1 else _PER_KEY + _size(answer)
        if keys > 1:
            self._answers[answer.id] = (answer, keys - 1)


def _size(answer: Answer) -> int:
    size = _PER_ANSWER + len(answer.raw)
    return size + sum(map(len, answer.tags + answer.masks)) if answer.tags or answer.masks else size


def _is_dead(kept: Kept, control: Control, now_s: float) -> bool:
    return now_s >= kept.expires_s + kept.stale_s or control.kills(kept.answer, kept.key.hex())
