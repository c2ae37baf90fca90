"""OpenAI's batch API, which DashScope speaks too: a file of lines goes up, a batch is made of it, files come back.

https://platform.openai.com/docs/api-reference/batch ·
https://help.aliyun.com/zh/model-studio/batch-interfaces-compatible-with-openai
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Container, Sequence
from urllib.parse import quote

import msgspec

from pennyworth.batch.api import Progress, Result
from pennyworth.batch.calls import Calls, named
from pennyworth.engine.waiting import Said

_ENDED = frozenset(["completed", "failed", "expired", "cancelled"])
_NOT_MADE = frozenset([408, 409, 425, 429])
_TAG = "pennyworth"
_PAGE = 100
_CLOCKS_S = 3600.0
"""By so much the provider's clock may be behind ours."""


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Counts(msgspec.Struct, frozen=True):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct, frozen=True):
    data: list[_Error] | None = None


class _Batch(msgspec.Struct, frozen=True):
    id: str
    status: str
    created_at: float = 0.0
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, str] | None = None
    errors: _Errors | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Batch]
    has_more: bool = False


class _Response(msgspec.Struct, frozen=True):
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    request_id: str | None = None


class _Line(msgspec.Struct, frozen=True):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


class OpenAIBatches:
    """A ``BatchApi``. The tag is in the batch's ``metadata``, by which it is found again."""

    most_lines = 50_000
    most_bytes = 64 * 2**20
    """Less than the 200 MB that are allowed: a batch is put together in memory."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def entry(self, name: str, path: str, body: bytes) -> bytes:
        head = msgspec.json.encode({"custom_id": name, "method": "POST", "url": f"/v1{path}"})
        return head[:-1] + b',"body":' + body + b"}\n"

    async def submit(self, tag: str, path: str, entries: Sequence[bytes]) -> str:
        body, kind = _form(f"{tag}.jsonl", b"".join(entries))
        file = await self._calls.ask("POST", "/files", _Id, body, kind)
        asked = {
            "input_file_id": file.id,
            "endpoint": f"/v1{path}",
            "completion_window": "24h",
            "metadata": {_TAG: tag},
        }
        return (await self._calls.ask("POST", "/batches", _Id, msgspec.json.encode(asked))).id

    async def find(self, tag: str, lines: int, since_s: float, others: Container[str]) -> str | None:
        after = ""
        while True:
            page = await self._calls.ask("GET", f"/batches?limit={_PAGE}{after}", _Page)
            for batch in page.data:
                if (batch.metadata or {}).get(_TAG) == tag:
                    return batch.id
            if not page.has_more or not page.data or page.data[-1].created_at < since_s - _CLOCKS_S:
                return None
            after = f"&after={quote(page.data[-1].id)}"

    async def look(self, batch_id: str) -> Progress:
        batch = await self._batch(batch_id)
        counts = batch.request_counts or _Counts()
        problem = ""
        if batch.status == "failed":
            errors = (batch.errors.data if batch.errors else None) or [_Error(message="it says no more")]
            problem = f"the batch failed: {errors[0].message or errors[0].code}"
        return Progress(batch.status in _ENDED, counts.completed + counts.failed, problem)

    async def cancel(self, batch_id: str) -> None:
        await self._calls.ask("POST", f"/batches/{quote(batch_id)}/cancel", msgspec.Raw)

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        batch = await self._batch(batch_id)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if not file_id:
                continue
            async for text in self._calls.lines(f"/files/{quote(file_id)}/content"):
                line = named(text, _Line)
                if line is not None:
                    yield Result(line.custom_id, _said(line))

    async def _batch(self, batch_id: str) -> _Batch:
        return await self._calls.ask("GET", f"/batches/{quote(batch_id)}", _Batch)


def _said(line: _Line) -> Said:
    answer = line.response
    if answer is None or answer.status_code in _NOT_MADE or answer.status_code >= 500:
        error = line.error
        return Said(0, b"", fault=(error.code or error.message or "") if error else "the provider failed on this line")
    return Said(answer.status_code, bytes(answer.body), answer.request_id or "")


def _form(name: str, content: bytes) -> tuple[bytes, str]:
    """A multipart body (RFC 7578) and its content type."""
    mark = secrets.token_hex(16)
    head = (
        f'--{mark}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'
        "content-type: application/jsonl\r\n\r\n"
    )
    return b"".join((head.encode(), content, f"\r\n--{mark}--\r\n".encode())), f"multipart/form-data; boundary={mark}"
