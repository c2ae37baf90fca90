"""The head of a request to a provider, as bytes. What never changes between two calls is put together once.

Credentials are never remembered here: they are among the values, which are written anew for each call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from cachebox import LRUCache

from pennyworth.plan import Road
from pennyworth.ports import Call
from pennyworth.upstreams.connection import Origin
from pennyworth.upstreams.proxy import authorization
from pennyworth.upstreams.road import unsendable

_MOST = 256
_CONSTANT = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "pennyworth"}
_FRAMING = frozenset(["connection", "content-length", "host", "proxy-authorization", "transfer-encoding"])
"""A call cannot set them: they say where a request ends, and for whom it is."""

_WITHOUT_BODY = frozenset(["DELETE", "GET", "HEAD"])
_Kind = tuple[Road, str, str, str, tuple[str, ...]]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Site(msgspec.Struct, frozen=True):
    """Where calls of one kind go.

    Attributes:
        start: the request line and the headers that are always the same.
        left_out: names among the call's headers that are not sent.
        sendable: its names may stand in a head.
        to_proxy: the proxy reads this head, and is shown our credential there.
        bare: a request of this method without a body says no length (RFC 9110 §8.6).
    """

    origin: Origin
    start: str
    left_out: frozenset[str]
    sendable: bool
    to_proxy: bool = False
    bare: bool = False

    def head(self, call: Call) -> bytes:
        """Raises ``UpstreamError`` for a header that would not stay one header."""
        headers: Iterable[tuple[str, str]] = call.headers
        if self.left_out:
            headers = [header for header in headers if header[0].lower() not in self.left_out]
        lines = [f"{name}: {value}\r\n" for name, value in headers]
        text = "".join(lines)
        if not self.sendable or text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
            raise unsendable(call)
        if self.to_proxy:
            text += authorization(call.target.provider.road.proxy_key)
        length = "" if self.bare and not call.body else f"content-length: {len(call.body)}\r\n"
        try:
            return f"{self.start}{text}{length}\r\n".encode()
        except UnicodeEncodeError:
            raise unsendable(call) from None


class Sites:
    """Few for calls to models; what is passed through has paths of its own without number, and these go again first."""

    def __init__(self) -> None:
        self._known: LRUCache[_Kind, Site] = LRUCache(_MOST)

    def __len__(self) -> int:
        return len(self._known)

    def of(self, call: Call) -> Site:
        provider = call.target.provider
        names = tuple([name for name, _ in call.headers])
        key = (provider.road, provider.base_url, call.method, call.path, names)
        site = self._known.get(key)
        if site is None:
            site = _site(*key)
            self._known.insert(key, site)
        return site


def _site(road: Road, base_url: str, method: str, path: str, names: tuple[str, ...]) -> Site:
    parts = urlsplit(base_url)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    port = parts.port or (443 if tls else 80)
    given = {name.lower() for name in names}
    to_proxy = bool(road.proxy) and not tls  # which is then told the whole URL (RFC 9112 §3.2.2)
    authority = _authority(host, parts.port, tls)
    line = f"{method} {f'http://{authority}' if to_proxy else ''}{parts.path.rstrip('/')}{path} HTTP/1.1"
    headers = {"host": authority, **_CONSTANT}
    kept = [f"{name}: {value}" for name, value in headers.items() if name == "host" or name not in given]
    sound = all(map(_TOKEN.fullmatch, (method, *names))) and not re.search(r"[\s\x00]", parts.path + path)
    start = "\r\n".join([line, *kept, ""])
    return Site(
        Origin(tls, host, port, road), start, frozenset(given & _FRAMING), sound, to_proxy, method in _WITHOUT_BODY
    )


def _authority(host: str, port: int | None, tls: bool) -> str:
    """Host and port, which is left out where it is the scheme's own (RFC 9110 §7.2)."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port in (None, 443 if tls else 80) else f"{bracketed}:{port}"
