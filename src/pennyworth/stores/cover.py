"""How answers lie in the file: in clear, or covered, so that the file alone says nothing of who asked what.

A cover hides two things: an answer's encoded body, and the names beside its key by which purges select (scope, model,
client, end user, tags). A file may hold rows of both kinds, from before and after it was switched on: each row says
itself which it is, and both are found by a purge.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Protocol

from cachebox import LRUCache

from pennyworth.mac import Mac

COVERED = 0xC1
"""First byte of a covered body. MessagePack never begins with it."""

Salts = Mapping[str, bytes]
"""Of each scope, by its mark: what its key is made of besides the deployment secret. Without it nobody can make it again."""

NO_SALTS: Salts = {}


class Marks:
    """Names that stand for names: the same for the same, and not to be turned back without the deployment secret."""

    def __init__(self, secret: bytes) -> None:
        self._mac = Mac(hmac.digest(secret, b"pennyworth marks/1", "sha256"))
        self._known: LRUCache[tuple[str, str], str] = LRUCache(10_000)

    def __call__(self, kind: str, name: str) -> str:
        if not name:
            return ""
        found = self._known.get((kind, name))
        if found is None:
            found = self._mac(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).hex()[:24]
            self._known.insert((kind, name), found)
        return found


class Cover(Protocol):
    """Covers what is written and uncovers what is read.

    - ``salted``: bodies are covered under a key of their scope, which needs a salt; else ``salts`` may be empty.
    - ``name`` is how a name stands beside a key. ``close`` covers a body: the same body always becomes the same
      bytes, because several keys prove the same row. It raises ``KeyError`` without its scope's salt.
    - ``open`` returns a body as it was, or ``None`` for one that nobody can read any more, or that was not written for
      this scope; ``scope`` is as it stands beside the key.
    """

    salted: bool

    def name(self, kind: str, name: str) -> str: ...

    def close(self, scope: str, body: bytes, salts: Salts) -> bytes: ...

    def open(self, scope: str, salt: bytes | None, body: bytes) -> bytes | None: ...


class NoCover:
    """A ``Cover`` that hides nothing: what "off" is. Rows that were covered by another are not found."""

    salted = False

    def name(self, kind: str, name: str) -> str:
        return name

    def close(self, scope: str, body: bytes, salts: Salts) -> bytes:
        return body

    def open(self, scope: str, salt: bytes | None, body: bytes) -> bytes | None:
        return body if body[:1] != bytes((COVERED,)) else None
