"""Ports that are off: implementations that do nothing, so that no stage needs an ``if``."""

from __future__ import annotations

from pennyworth.outcome import Kept


class NoSimilar:
    """No semantic cache."""

    immediate = True

    async def find(self, scope: str, question: str) -> Kept | None:
        return None

    async def add(self, kept: Kept, question: str) -> None:
        return None
