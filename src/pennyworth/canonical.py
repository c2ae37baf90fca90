"""The canonical form of a JSON value: sorted keys, no spaces, numbers exactly as they were written."""

from __future__ import annotations

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


def encode(value: object) -> bytes:
    """The canonical bytes.

    Raises:
        ValueError: a string that cannot be encoded (a lone surrogate).
    """
    return _ENCODER.encode(value)


def lexeme_of(value: object) -> msgspec.Raw:
    """What an encoder's ``enc_hook`` does with a ``Lexeme``: its own characters."""
    if isinstance(value, Lexeme):
        return msgspec.Raw(value.lexeme.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=lexeme_of)
