"""Anthropic's message batches: requests go up in one body, results come back as lines.

https://docs.anthropic.com/en/docs/build-with-claude/batch-processing
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

import msgspec

from pennyworth.batch.api import LaterError, Progress, Result
from pennyworth.batch.calls import Calls, named
from pennyworth.engine.waiting import Said

_DOOR = "/messages/batches"
_PAGE = 100
_CLOCKS_S = 3600.0
"""By so much the provider's clock may be behind ours."""
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
}
"""Errors that asking directly would bring too. Any other is the provider's, and the line was not charged for."""


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Counts(msgspec.Struct, frozen=True):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class _Batch(msgspec.Struct, frozen=True):
    id: str
    processing_status: str
    created_at: datetime
    request_counts: _Counts = _Counts()
    results_url: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Batch]
    has_more: bool = False
    last_id: str | None = None


class _Error(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Wrapped(msgspec.Struct, frozen=True):
    error: _Error = _Error()


class _Outcome(msgspec.Struct, frozen=True):
    type: str
    message: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"{}")


class _Line(msgspec.Struct, frozen=True):
    custom_id: str
    result: _Outcome


class AnthropicBatches:
    """A ``BatchApi``. It has no metadata: a batch is found again by when it was made, how many requests it has, and, when
    it has ended, their names."""

    most_lines = 50_000
    most_bytes = 64 * 2**20
    """Less than the 256 MB that are allowed: a batch is put together in memory."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def entry(self, name: str, path: str, body: bytes) -> bytes:
        return b'{"custom_id":' + msgspec.json.encode(name) + b',"params":' + body + b"}"

    async def submit(self, tag: str, path: str, entries: Sequence[bytes]) -> str:
        body = b'{"requests":[' + b",".join(entries) + b"]}"
        return (await self._calls.ask("POST", _DOOR, _Id, body)).id

    async def find(self, tag: str, lines: int, since_s: float, others: Container[str]) -> str | None:
        after = ""
        while True:
            page = await self._calls.ask("GET", f"{_DOOR}?limit={_PAGE}{after}", _Page)
            for batch in page.data:
                if batch.created_at.timestamp() < since_s - _CLOCKS_S:
                    return None
                if batch.id in others or batch.request_counts.total != lines:
                    continue
                if await self._is_ours(batch, tag):
                    return batch.id
            if not page.has_more or not page.last_id:
                return None
            after = f"&after_id={quote(page.last_id)}"

    async def _is_ours(self, batch: _Batch, tag: str) -> bool:
        if batch.processing_status != "ended":
            raise LaterError("a batch of as many requests is under way there: whether it is ours is seen when it ends")
        async for result in self.results(batch.id):
            return result.name.startswith(f"{tag}-")
        return False

    async def look(self, batch_id: str) -> Progress:
        batch = await self._batch(batch_id)
        counts = batch.request_counts
        return Progress(batch.processing_status == "ended", counts.total - counts.processing)

    async def cancel(self, batch_id: str) -> None:
        await self._calls.ask("POST", f"{_DOOR}/{quote(batch_id)}/cancel", msgspec.Raw)

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        batch = await self._batch(batch_id)
        async for text in self._calls.lines(self._results_path(batch)):
            line = named(text, _Line)
            if line is not None:
                yield Result(line.custom_id, _said(line.result))

    def _results_path(self, batch: _Batch) -> str:
        """Where the provider says, if that is below its own base URL: our key goes to no other host."""
        base, said = urlsplit(self._calls.provider.base_url), urlsplit(batch.results_url or "")
        if said[:2] == base[:2] and said.path.startswith(f"{base.path.rstrip('/')}/"):
            return said.path.removeprefix(base.path.rstrip("/"))
        return f"{_DOOR}/{quote(batch.id)}/results"

    async def _batch(self, batch_id: str) -> _Batch:
        return await self._calls.ask("GET", f"{_DOOR}/{quote(batch_id)}", _Batch)


def _said(outcome: _Outcome) -> Said:
    match outcome.type:
        case "succeeded":
            return Said(200, bytes(outcome.message))
        case "errored":
            body = bytes(outcome.error)
            told = named(body, _Wrapped) or _Wrapped()
            status = _STATUSES.get(told.error.type)
            return Said(status, body) if status else Said(0, b"", fault=told.error.type or "the provider failed")
        case other:
            return Said(0, b"", fault=f"batch_{other}")
