"""The canonical form of a JSON value: sorted keys, no spaces, numbers exactly as they were written."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Lexeme(float):
    """A number with fraction or exponent that remembers how it was written: 0.5 and 0.50 are two keys."""

    __slots__ = ("lexeme",)
    lexeme: str

    def __new__(cls, lexeme: str) -> Lexeme:
        self = super().__new__(cls, lexeme)
        self.lexeme = lexeme
        return self

    def __repr__(self) -> str:
        return self.lexeme


def lexeme_of(value: object) -> msgspec.Raw:
    """What an encoder's ``enc_hook`` does with a ``Lexeme``: its own characters."""
    if isinstance(value, Lexeme):
        return msgspec.Raw(value.lexeme.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


encode: Callable[[object], bytes] = msgspec.json.Encoder(order="deterministic", enc_hook=lexeme_of).encode
"""The canonical bytes of a value. Raises ``ValueError`` for a string that cannot be encoded (a lone surrogate)."""
