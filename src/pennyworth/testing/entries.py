"""Kept answers to test stores with, and ways to drive a store in a test."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import msgspec

from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept
from pennyworth.request import Key

NOW_S = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""

_ANSWER = Answer(
    id="answer",
    form="chat",
    scope="team-a",
    model="small",
    target="openai/small",
    raw=b"",
    streamed=False,
    usage=Usage(input=12, output=34),
    priced_at_s=NOW_S,
    created_s=NOW_S,
    asked_epoch=5,
    kind="other",
)


def key_of(name: str) -> Key:
    """A key as long as a real one, different for each name."""
    return Key(hashlib.sha256(name.encode()).digest())


def kept(name: str, size: int = 100, *, expires_s: float = NOW_S + 60.0, stale_s: float = 0.0, **answer: Any) -> Kept:
    """A kept answer of ``size`` bytes under the key of that name; ``answer`` sets fields of its ``Answer``."""
    fields = {"id": f"id of {name}", "raw": name.encode().ljust(size, b"-"), **answer}
    answered = msgspec.structs.replace(_ANSWER, **fields)
    return Kept(key=key_of(name), answer=answered, expires_s=expires_s, stale_s=stale_s)


async def eventually(what: Callable[[], object], within_s: float = 3.0) -> None:
    """Waits until it is true: a put may take a moment to reach the figures."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "did not become true in time"
        await asyncio.sleep(0.01)


def in_a_loop(test: Callable[[Any, Path], Coroutine[Any, Any, None]]) -> Callable[[Any, Path], None]:
    """The coroutine as a plain test, so that a backend's project needs no plug-in to run it."""

    def run(self: Any, tmp_path: Path) -> None:
        asyncio.run(test(self, tmp_path))

    run.__doc__ = test.__doc__
    return run


def by_hand(getting: Coroutine[Any, Any, Kept | None]) -> Kept | None:
    """What it returns, driven without an event loop; it must not wait for anything."""
    try:
        getting.send(None)
    except StopIteration as returned:
        return cast("Kept | None", returned.value)
    raise AssertionError("an immediate get suspended")
