"""A set of names that stays small: 64 bits a name in a flat array, for files of millions of lines.

Two names fall together by chance once in some 40 million files of a million lines; then a line is reported as doubled
that is not. A Python set would take ten times the memory.
"""

from __future__ import annotations

import hashlib
from array import array

_FULL = 0.6


class Digests:
    """``add`` says whether the name is new."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._mask = 1023
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def add(self, name: bytes) -> bool:
        digest = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") or 1
        place = self._place(digest)
        if self._slots[place] == digest:
            return False
        self._slots[place] = digest
        self._held += 1
        if self._held > _FULL * len(self._slots):
            self._grow()
        return True

    def _place(self, digest: int) -> int:
        """Where it is, or where it would go; 0 marks a free slot."""
        place = digest & self._mask
        while (found := self._slots[place]) and found != digest:
            place = (place + 1) & self._mask
        return place

    def _grow(self) -> None:
        before = self._slots
        self._slots = array("Q", bytes(16 * len(before)))
        self._mask = len(self._slots) - 1
        for digest in before:
            if digest:
                self._slots[self._place(digest)] = digest
