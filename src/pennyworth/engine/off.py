"""Ports that are off: implementations that do nothing, so that no stage needs an ``if``."""

from __future__ import annotations

from pennyworth.outcome import Kept
from pennyworth.request import Request


class NoSimilar:
    """No semantic cache."""

    immediate = True

    async def find(self, request: Request) -> Kept | None:
        return None

    async def add(self, kept: Kept, request: Request) -> None:
        return None
