"""Calls providers over HTTP with aiohttp: pooled connections, no redirects, no cookies, no compression, no proxy tricks.

Base URLs come from the configuration alone, so a request can choose its model but never its host.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import aiohttp
from yarl import URL

from pennyworth.errors import UpstreamError, UpstreamFault
from pennyworth.plan import Provider
from pennyworth.ports import Call
from pennyworth.upstreams.pooled import PooledRequest, PooledResponse, UnseenError

_HEADERS = {"user-agent": "pennyworth", "accept-encoding": "identity"}
_ROAD = (aiohttp.ClientError, TimeoutError, OSError)


class HttpUpstream:
    """One pool of connections for all providers. Make it inside the event loop that will use it."""

    def __init__(self) -> None:
        self._pooled = _session(aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30))
        self._fresh = _session(aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, force_close=True))
        self._urls: dict[tuple[str, str], URL] = {}

    async def open(self, call: Call) -> HttpExchange:
        try:
            try:
                response = await self._post(self._pooled, call)
            except UnseenError:
                response = await self._post(self._fresh, call)
        except _ROAD as error:
            raise _road(error, call) from error
        exchange = HttpExchange(response, call)
        encoding = response.headers.get("content-encoding", "").lower()
        if encoding not in ("", "identity"):
            exchange.close()
            message = f"it answered in {encoding[:40]!a} although identity was asked for"
            raise UpstreamError("malformed", call.target.name, message)
        return exchange

    async def close(self) -> None:
        await self._pooled.close()
        await self._fresh.close()

    async def _post(self, session: aiohttp.ClientSession, call: Call) -> aiohttp.ClientResponse:
        provider = call.target.provider
        return await session.post(
            self._url(provider.base_url, call.path),
            data=call.body,
            headers=call.headers,
            allow_redirects=False,
            timeout=_timeout(provider, call.stream),
        )

    def _url(self, base: str, path: str) -> URL:
        """Only configured base URLs and our own paths come here, so this stays small."""
        url = self._urls.get((base, path))
        if url is None:
            url = self._urls[base, path] = URL(base.rstrip("/") + path, encoded=True)
        return url


class HttpExchange:
    """A response whose head has come."""

    def __init__(self, response: aiohttp.ClientResponse, call: Call) -> None:
        self.status: int = response.status
        self.headers: Sequence[tuple[str, str]] = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers
        ]
        self._response = response
        self._call = call

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _ROAD as error:
            raise _road(error, self._call) from error

    def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=_HEADERS,
        trust_env=False,
        request_class=PooledRequest,
        response_class=PooledResponse,
    )


def _timeout(provider: Provider, stream: bool) -> aiohttp.ClientTimeout:
    """A stream may last; it must not fall silent for longer than ``idle_s``. ``connect`` includes the name's look-up."""
    return aiohttp.ClientTimeout(
        total=None if stream else provider.total_s,
        connect=provider.connect_s,
        sock_connect=provider.connect_s,
        sock_read=provider.idle_s if stream else provider.total_s,
    )


def _road(error: Exception, call: Call) -> UpstreamError:
    """The error in words that name the configuration key to look at."""
    provider = call.target.provider
    at = f"providers.{provider.name}"
    fault: UpstreamFault = "reset"
    match error:
        case aiohttp.ConnectionTimeoutError():
            fault, message = "timeout", f"connecting timed out after {provider.connect_s:g} s ({at}.connect_timeout)"
        case TimeoutError() if call.stream:
            fault, message = "timeout", f"it timed out: nothing came for {provider.idle_s:g} s ({at}.idle_timeout)"
        case TimeoutError():
            fault, message = "timeout", f"it timed out after {provider.total_s:g} s ({at}.total_timeout)"
        case aiohttp.ClientConnectorCertificateError():
            fault, message = "connect", f"its TLS certificate was refused ({at}.base_url = {provider.base_url})"
        case aiohttp.ClientConnectorSSLError():
            fault, message = "connect", f"no TLS with {at}.base_url = {provider.base_url} (does it speak plain http?)"
        case aiohttp.ClientConnectorDNSError():
            fault, message = "connect", f"the host of {at}.base_url = {provider.base_url} is unknown"
        case aiohttp.ClientConnectorError():
            why = os.strerror(error.errno) if error.errno else type(error.os_error).__name__
            fault, message = "connect", f"no connection to {at}.base_url = {provider.base_url} ({why})"
        case aiohttp.ClientPayloadError():
            message = "the connection broke off in the middle of the reply"
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            fault, message = "malformed", f"what it sent is not HTTP ({at}.base_url = {provider.base_url})"
        case _:
            message = "the connection was closed before the reply"
    return UpstreamError(fault, call.target.name, message)
