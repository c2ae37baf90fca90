"""Calls to a provider that ask no model: short JSON answers, and files read line by line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec

from pennyworth.batch.api import LaterError
from pennyworth.batch.errors import RefusedError
from pennyworth.plan import Provider, Target
from pennyworth.ports import Call, Exchange, Upstream
from pennyworth.request import Caller
from pennyworth.wire.shown_key import shown_key

T = TypeVar("T")

_PASSING = frozenset([408, 409, 425, 429])
_MOST_BYTES = 4 * 2**20
_LONGEST_LINE = 64 * 2**20


class Calls:
    """To one provider, with our key there."""

    def __init__(self, upstream: Upstream, provider: Provider, caller: Caller) -> None:
        self.provider = provider
        self._upstream = upstream
        self._target = Target(provider=provider, model="batches")
        key = shown_key(provider, caller)
        self._headers = (*provider.headers, *(() if key is None else (key,)))

    async def ask(
        self, method: str, path: str, answer: type[T], body: bytes = b"", kind: str = "application/json"
    ) -> T:
        """The answer, read. Raises as ``BatchApi`` does."""
        exchange = await self._open(method, path, body, kind)
        try:
            content = await _whole(exchange)
        finally:
            exchange.close()
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LaterError(
                f"{self.provider.name} answered {path} with something that cannot be read: {error}."
            ) from None

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        exchange = await self._open("GET", path, b"", "")
        try:
            rest = b""
            while data := await exchange.read():
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield line
                if len(rest) > _LONGEST_LINE:
                    raise LaterError(f"{self.provider.name} sent a line longer than {_LONGEST_LINE} bytes at {path}.")
            yield rest
        finally:
            exchange.close()

    async def _open(self, method: str, path: str, body: bytes, kind: str) -> Exchange:
        headers = (("content-type", kind), *self._headers) if body else self._headers
        call = Call(target=self._target, path=path, headers=headers, body=body, stream=True, method=method)
        exchange = await self._upstream.open(call)
        if exchange.status != 200:
            try:
                content = await _whole(exchange)
            finally:
                exchange.close()
            raise self._error(exchange.status, method, path, content)
        return exchange

    def _error(self, status: int, method: str, path: str, content: bytes) -> LaterError | RefusedError:
        said = self.provider.credential.struck_from(content)[:400].decode(errors="replace")
        problem = f"{self.provider.name} answered {method} {path.partition('?')[0]} with {status}: {said}"
        if status in _PASSING or status >= 500:
            return LaterError(problem)
        name = self.provider.name
        return RefusedError(problem, f"If it has no batch API, set providers.{name}.batch = false.")


async def _whole(exchange: Exchange) -> bytes:
    parts, size = [], 0
    while data := await exchange.read():
        parts.append(data)
        size += len(data)
        if size > _MOST_BYTES:
            raise LaterError(f"an answer is longer than {_MOST_BYTES} bytes")
    return b"".join(parts)


def named(content: bytes, kind: type[T]) -> T | None:
    """A line of results, ``None`` if it is none."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


Json = dict[str, Any]
