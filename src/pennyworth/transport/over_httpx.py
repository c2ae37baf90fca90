"""Transports for legacy ``httpx``, which older SDKs run on: ``over_httpx2`` with one name changed, and a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from pennyworth.engine.passage import Reply
from pennyworth.transport.asking import Patience, named, patience
from pennyworth.transport.porter import Porter
from pennyworth.transport.visit import Visit

_LATE = "the gateway gave nothing within the read timeout"


class Transport(httpx.BaseTransport):
    """Closing it closes nothing: the engine behind it may serve other clients."""

    def __init__(self, porter: Porter) -> None:
        self._porter = porter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body, waits = request.read(), patience(request.extensions)
        visit = self._porter.visit(request.method, request.url.raw_path, request.headers.raw, body, waits)
        try:
            reply = visit.reply(waits.head_s)
        except BaseException as error:  # whatever ends the wait, the caller has left
            visit.close()
            if isinstance(error, TimeoutError):
                raise httpx.ReadTimeout(_LATE, request=request) from error
            raise
        return _response(reply, _Parts(visit, waits, request) if reply.more else None)


class AsyncTransport(httpx.AsyncBaseTransport):
    """The same for asyncio, in whatever loop."""

    def __init__(self, porter: Porter) -> None:
        self._porter = porter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body, waits = await request.aread(), patience(request.extensions)
        visit = self._porter.visit(request.method, request.url.raw_path, request.headers.raw, body, waits)
        try:
            reply = await visit.reply_async(waits.head_s)
        except BaseException as error:  # as above; cancelled among them
            visit.close()
            if isinstance(error, TimeoutError):
                raise httpx.ReadTimeout(_LATE, request=request) from error
            raise
        return _response(reply, _AsyncParts(visit, waits, request) if reply.more else None)


class _Parts(httpx.SyncByteStream):
    def __init__(self, visit: Visit, waits: Patience, request: httpx.Request) -> None:
        self._visit = visit
        self._waits = waits
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            while part := self._visit.read(self._waits.part_s):
                yield part
        except TimeoutError as error:
            raise httpx.ReadTimeout(_LATE, request=self._request) from error

    def close(self) -> None:
        self._visit.close()


class _AsyncParts(httpx.AsyncByteStream):
    def __init__(self, visit: Visit, waits: Patience, request: httpx.Request) -> None:
        self._visit = visit
        self._waits = waits
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while part := await self._visit.read_async(self._waits.part_s):
                yield part
        except TimeoutError as error:
            raise httpx.ReadTimeout(_LATE, request=self._request) from error

    async def aclose(self) -> None:
        self._visit.close()


def _response(reply: Reply, parts: _Parts | _AsyncParts | None) -> httpx.Response:
    stream = httpx.ByteStream(reply.body) if parts is None else parts
    return httpx.Response(reply.status, headers=named(reply), stream=stream)


def client(porter: Porter, options: Mapping[str, Any]) -> httpx.Client:
    return httpx.Client(transport=Transport(porter), **options)


def async_client(porter: Porter, options: Mapping[str, Any]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=AsyncTransport(porter), **options)
