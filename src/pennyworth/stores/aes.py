"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) under a key of each scope.

The key is derived (HKDF-SHA-256, RFC 5869) from the deployment secret and a random salt that lies in the cache file: who
deletes a scope's salt has made all its answers unreadable, in copies of the file that lack the salt too.

The nonce is a keyed hash of what is encrypted (a second key of the same derivation), not chance: one answer is one row to
which several keys lead, and it must stay the same row when it is written again. Two different bodies share one with
the probability of two random nonces of 96 bits: below 2⁻³² up to 2³² answers in one scope.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cachebox import LRUCache

from pennyworth.errors import ConfigError
from pennyworth.mac import Mac
from pennyworth.stores.cover import COVERED, Marks, Salts

_HEAD = bytes((COVERED, 1))
"""Before the nonce: covered, by this cipher."""

_NONCE = 12


class _Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class _Keys(NamedTuple):
    cipher: _Cipher
    nonce: Mac


class AesCover:
    """A ``Cover``. ``secret``: derived from the deployment secret for this purpose.

    Raises:
        ConfigError: the cryptography package is not installed.
    """

    salted = True

    def __init__(self, secret: bytes, marks: Marks) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        except ImportError as error:
            raise ConfigError(
                "cache.encrypt",
                "it needs the cryptography package, which is not installed",
                "Install it: pip install 'pennyworth[encrypt]'. Or set cache.encrypt = false.",
            ) from error

        def keys(scope: str, salt: bytes) -> _Keys:
            derivation = HKDF(algorithm=SHA256(), length=64, salt=salt, info=b"pennyworth answers/1\0" + scope.encode())
            both = derivation.derive(secret)
            return _Keys(AESGCM(both[:32]), Mac(both[32:]))

        self._derive = keys
        self._invalid = InvalidTag
        self._marks = marks
        self._known: LRUCache[tuple[str, bytes], _Keys] = LRUCache(10_000)

    def name(self, kind: str, name: str) -> str:
        return self._marks(kind, name)

    def close(self, scope: str, body: bytes, salts: Salts) -> bytes:
        mark = self._marks("scope", scope)
        keys, about = self._keys(mark, salts[mark]), mark.encode()
        nonce = keys.nonce(about + body)[:_NONCE]
        return _HEAD + nonce + keys.cipher.encrypt(nonce, body, about)

    def open(self, scope: str, salt: bytes | None, body: bytes) -> bytes | None:
        if body[:1] != _HEAD[:1]:
            return body
        start = len(_HEAD) + _NONCE
        if not salt or body[: len(_HEAD)] != _HEAD or len(body) < start:
            return None
        try:
            return self._keys(scope, salt).cipher.decrypt(body[len(_HEAD) : start], body[start:], scope.encode())
        except self._invalid:
            return None

    def _keys(self, mark: str, salt: bytes) -> _Keys:
        found = self._known.get((mark, salt))
        if found is None:
            found = self._derive(mark, salt)
            self._known.insert((mark, salt), found)
        return found
