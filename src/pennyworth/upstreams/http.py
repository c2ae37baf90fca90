"""Calls providers over HTTP with aiohttp: pooled connections, no redirects, no cookies, no compression, no proxy tricks.

Base URLs come from the configuration alone, so a request can choose its model but never its host.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
from yarl import URL

from pennyworth.errors import UpstreamError, UpstreamFault
from pennyworth.plan import Provider
from pennyworth.ports import Call

_HEADERS = {"user-agent": "pennyworth", "accept-encoding": "identity"}


class HttpUpstream:
    """One pool of connections for all providers. Make it inside the event loop that will use it."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=_HEADERS,
            trust_env=False,
        )
        self._urls: dict[tuple[str, str], URL] = {}

    async def open(self, call: Call) -> HttpExchange:
        provider = call.target.provider
        try:
            response = await self._session.post(
                self._url(provider.base_url, call.path),
                data=call.body,
                headers=call.headers,
                allow_redirects=False,
                timeout=_timeout(provider, call.stream),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _road(error, provider, call.target.name) from error
        exchange = HttpExchange(response, provider, call.target.name)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            exchange.close()
            message = f"answered in {encoding} although identity was asked for"
            raise UpstreamError("malformed", call.target.name, message)
        return exchange

    async def close(self) -> None:
        await self._session.close()

    def _url(self, base: str, path: str) -> URL:
        """Only configured base URLs and our own paths come here, so this stays small."""
        url = self._urls.get((base, path))
        if url is None:
            url = self._urls[base, path] = URL(base.rstrip("/") + path, encoded=True)
        return url


class HttpExchange:
    """A response whose head has come."""

    def __init__(self, response: aiohttp.ClientResponse, provider: Provider, target: str) -> None:
        self.status: int = response.status
        self.headers: Sequence[tuple[str, str]] = [(name.lower(), value) for name, value in response.headers.items()]
        self._response = response
        self._provider = provider
        self._target = target

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _road(error, self._provider, self._target) from error

    def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _timeout(provider: Provider, stream: bool) -> aiohttp.ClientTimeout:
    """A stream may last; it must not fall silent for longer than ``idle_s``."""
    return aiohttp.ClientTimeout(
        total=None if stream else provider.total_s,
        sock_connect=provider.connect_s,
        sock_read=provider.idle_s if stream else provider.total_s,
    )


def _road(error: Exception, provider: Provider, target: str) -> UpstreamError:
    """The error in words that name the configuration key to look at."""
    where = f"providers.{provider.name}"
    fault: UpstreamFault = "reset"
    match error:
        case aiohttp.ConnectionTimeoutError():
            fault, message = "timeout", f"connecting timed out after {provider.connect_s:g} s ({where}.connect_s)"
        case TimeoutError():
            fault, message = (
                "timeout",
                f"it timed out ({where}.idle_s = {provider.idle_s:g}, .total_s = {provider.total_s:g})",
            )
        case aiohttp.ClientConnectorCertificateError():
            fault, message = "connect", f"its TLS certificate was refused ({where}.base_url = {provider.base_url})"
        case aiohttp.ClientConnectorError():
            fault, message = "connect", f"no connection to {where}.base_url = {provider.base_url}"
        case aiohttp.ClientPayloadError():
            message = "the connection broke off in the middle of the reply"
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            fault, message = "malformed", "what it sent is not HTTP"
        case _:
            message = "the connection was closed before the reply"
    return UpstreamError(fault, target, message)
