"""What a provider's batch API is to a batch: the same few calls, whichever company's it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from typing import NamedTuple, Protocol

from pennyworth.engine.waiting import Said
from pennyworth.errors import PennyworthError


class LaterError(PennyworthError):
    """The provider takes no call of this kind now. Nothing has changed there; ask again in a while."""


class Progress(NamedTuple):
    """How far a batch is. ``ended``: nothing more is done about it. ``problem``: why it failed as a whole."""

    ended: bool
    done: int = 0
    problem: str = ""


class Result(NamedTuple):
    """What became of one request, by the name it was sent under."""

    name: str
    said: Said


class BatchApi(Protocol):
    """One provider's API for one kind of request.

    - ``entry``: one request as it is handed in. ``most_lines``, ``most_bytes``: of one batch.
    - ``submit`` hands a batch in and returns the provider's name for it. When it fails otherwise than by
      ``RefusedError`` or ``LaterError``, nobody knows whether the batch is there: ``find`` is asked before it is
      submitted again.
    - ``find``: the provider's name of the batch that was handed in under a tag not before ``since_s``; ``None``: it has
      none. ``others``: the names of batches that are known to be others.
    - ``results``: of a batch that has ended, in any order. A request that is not among them was not answered.
    - All raise ``UpstreamError`` where the road fails, ``LaterError`` for what may pass, ``RefusedError`` for what will not.
    """

    most_lines: int
    most_bytes: int

    def entry(self, name: str, path: str, body: bytes) -> bytes: ...

    async def submit(self, tag: str, path: str, entries: Sequence[bytes]) -> str: ...

    async def find(self, tag: str, lines: int, since_s: float, others: Container[str]) -> str | None: ...

    async def look(self, batch_id: str) -> Progress: ...

    async def cancel(self, batch_id: str) -> None: ...

    def results(self, batch_id: str) -> AsyncIterator[Result]: ...
