"""Posts alerts to the operator's webhook, over the same client as calls to providers: no redirects, bounded waits.

The URL is a secret beyond its host: whoever knows it can post there too. So no error here holds its path or its query.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pennyworth.errors import UpstreamError
from pennyworth.plan import Provider, Target
from pennyworth.ports import Call, Upstream
from pennyworth.secret import Secret

_HEADERS = (("content-type", "application/json"),)
_MOST_BYTES = 64 * 1024


class Webhook:
    """One address. ``send`` returns when the message was taken, and raises ``UpstreamError`` when it was not."""

    def __init__(self, upstream: Upstream, url: Secret) -> None:
        parts = urlsplit(url.reveal())
        self._upstream = upstream
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = Provider(
            name="alerts", base_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", connect_s=5.0, total_s=10.0
        )
        self._target = Target(provider=host, model="webhook")

    async def send(self, message: bytes) -> None:
        call = Call(target=self._target, path=self._path, headers=_HEADERS, body=message, stream=False)
        exchange = await self._upstream.open(call)
        try:
            if not 200 <= exchange.status < 300:
                raise UpstreamError("malformed", self._target.name, f"it answered {exchange.status}")
            size = 0
            while (part := await exchange.read()) and size < _MOST_BYTES:  # read to its end, the connection is kept
                size += len(part)
        finally:
            exchange.close()
