"""The head of a request, read and checked: what it asks for, and whether two readers could take it for two things.

A head that is slow, huge, ambiguous or malformed is refused in words, and the connection with it. Nothing of a request
is logged, and no message quotes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import httptools
import msgspec
from cachebox import LRUCache

from pennyworth.plan import Limits

Pairs = list[tuple[bytes, bytes]]

_END = b"\r\n\r\n"

_ONCE = {
    b"host": "it is not clear who is asked",
    b"content-length": "it is not clear where the body ends",
    b"transfer-encoding": "it is not clear where the body ends",
    b"authorization": "it is not clear who asks",
    b"x-api-key": "it is not clear who asks",
}
"""Headers that decide who is asked, who asks or what is asked, so that two of them cannot be guessed between."""


class BadHeadError(Exception):
    """A head that is refused, or a request that cannot be read to its end; raised in the parser's callbacks, too."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Head(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Method, target and headers. Equal only to itself, so that what was found out about it can be remembered by it.

    Attributes:
        path: without its query, escapes undone. ``escaped``: the same as it came.
        headers: by lower-cased name; several of one name are one list (RFC 9110 §5.3).
        chunks: the reply may come in chunks, which came only with HTTP/1.1 (RFC 9112 §6.1).
        keep_alive: another request may follow on the connection.
        length: of the body, as announced; ``None`` where it comes in chunks.
    """

    method: str
    path: str
    escaped: str
    query: bytes
    headers: Mapping[str, str]
    chunks: bool
    keep_alive: bool
    length: int | None

    @property
    def expects(self) -> bool:
        """The client waits for ``100 Continue`` before it sends the body (RFC 9110 §10.1.1)."""
        return self.headers.get("expect", "").lower() == "100-continue"

    def __repr__(self) -> str:  # a credential is among the headers
        return f"Head({self.method!r}, {self.path!r}, {len(self.headers)} headers)"


def read_head(*, method: bytes, target: bytes, version: str, pairs: Pairs, keep_alive: bool, limits: Limits) -> Head:
    """The head; ``pairs`` with lower-cased names. Raises ``BadHeadError``."""
    if method == b"CONNECT":
        proxy = "The gateway is no proxy. Make it your client's base URL, and leave HTTPS_PROXY alone."
        raise BadHeadError(400, proxy)
    _check(target, version, pairs, limits)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) != len(pairs):  # rare: the comprehension has kept the last of each name
        for name in headers:
            headers[name] = ", ".join(value.decode("latin-1") for raw, value in pairs if raw.decode("latin-1") == name)
    escaped, query = _split(target)
    return Head(
        method=method.decode("latin-1"),
        path=unquote(escaped) if "%" in escaped else escaped,
        escaped=escaped,
        query=query,
        headers=headers,
        chunks=version == "1.1",
        keep_alive=keep_alive,
        length=None if "transfer-encoding" in headers else _length(headers.get("content-length", "0")),
    )


class Heads:
    """Remembers heads by their bytes: a client sends the same ones again and again, but for the length of the body.

    Sound because the parser's reading of a head depends on nothing but its bytes. ``known`` is asked only where a
    request must begin, and answers only where the body announced is all of the rest.
    """

    _MOST = 512
    _LONGEST = 2048

    def __init__(self) -> None:
        self._heads: LRUCache[bytes, Head] = LRUCache(self._MOST)

    def known(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body, where these bytes are one whole request whose head was ``learnt``."""
        end = data.find(_END, 0, self._LONGEST) + len(_END)
        head = self._heads.get(data[:end])
        return (head, data[end:]) if head is not None and head.length == len(data) - end else None

    def forget(self) -> None:
        """All of them, where what they were let pass by has changed."""
        self._heads.clear()

    def learn(self, data: bytes, head: Head) -> None:
        """These bytes were one whole request, read by the parser. Where the first blank line is not the end of the head
        (empty lines before it, bare line feeds), more than the body follows it, and nothing is learnt."""
        end = data.find(_END, 0, self._LONGEST) + len(_END)
        if end >= len(_END) and head.length == len(data) - end:
            self._heads.insert(data[:end], head)


def _check(target: bytes, version: str, pairs: Pairs, limits: Limits) -> None:
    """Refuses a head that is too large, or that two readers could understand in two ways."""
    size = len(target) + sum([len(name) + len(value) + 4 for name, value in pairs])
    if size > limits.max_header_bytes or len(pairs) > limits.max_headers:
        most = f"At most {limits.max_headers} headers and {limits.max_header_bytes} bytes of them are read."
        raise BadHeadError(431, f"{most} Send fewer, or ask the operator to raise limits.max_header_bytes.")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        _refuse_doubles(names)
    if version not in ("1.1", "1.0"):
        raise BadHeadError(400, f"The request is in HTTP/{version}. Let your client use HTTP/1.1.")
    if b"host" not in names and version == "1.1":
        raise BadHeadError(400, "The Host header is missing (RFC 9112 §3.2). Send one.")
    if b"transfer-encoding" in names and dict(pairs)[b"transfer-encoding"].strip().lower() != b"chunked":
        raise BadHeadError(400, "Transfer-Encoding may only be chunked. Send the body plain.")


def _refuse_doubles(names: list[bytes]) -> None:
    for name, doubt in _ONCE.items():
        if names.count(name) > 1:
            raise BadHeadError(400, f"Two {name.decode().title()} headers: {doubt}. Send one.")


def _split(target: bytes) -> tuple[str, bytes]:
    """Path and query of a request target, as they came."""
    try:
        url = httptools.parse_url(target)
        path = (url.path or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise BadHeadError(400, _NO_TARGET) from None
    return path, url.query or b""


def _length(said: str) -> int:
    """The parser has refused what is no number."""
    return int(said) if said.strip().isdecimal() else 0


def malformed(error: httptools.HttpParserError, data: bytes) -> BadHeadError:
    """What is wrong, in the parser's words, which never quote the request."""
    inner = error.__context__
    if isinstance(inner, BadHeadError):
        return inner
    if data[:2] == b"\x16\x03":
        return BadHeadError(400, "This is TLS, and the gateway speaks plain HTTP here. Use http:// as base URL.")
    if data[:4] == b"PRI ":
        return BadHeadError(400, "This is HTTP/2, and the gateway speaks HTTP/1.1. Let your client use that.")
    if isinstance(error, httptools.HttpParserInvalidURLError):
        return BadHeadError(400, _NO_TARGET)
    return BadHeadError(400, _invalid(str(error) or "it cannot be read"))


def _invalid(words: str) -> str:
    return f"This is not valid HTTP: {words.rstrip('.')}. Check what your client or proxy sends."


_NO_TARGET = _invalid("the request target cannot be read")
