"""A credential as a value that does not print itself."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_.\-]*")
"""In JSON these are spelt in one way, if nobody takes pains; of others servers differ (``\\/`` of PHP's, ``\\u003d`` of Java's)."""


class Secret:
    """A credential that does not print itself. ``reveal`` is called only where it is written to a socket."""

    __slots__ = ("_spelt", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._spelt = None if _PLAIN.fullmatch(value) else re.compile("".join(map(_spellings, value)).encode())

    def reveal(self) -> str:
        return self._value

    def is_in(self, text: bytes) -> bool:
        """Whether somebody says it back, be it in JSON."""
        if self._spelt is not None:
            return self._spelt.search(text) is not None
        return bool(self._value) and self._value.encode() in text

    def struck_from(self, text: bytes) -> bytes:
        """The text with dots in its place."""
        if self._spelt is not None:
            return self._spelt.sub("…".encode(), text)
        return text.replace(self._value.encode(), "…".encode()) if self.is_in(text) else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(…)" if self._value else "Secret('')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def _spellings(character: str) -> str:
    if _PLAIN.fullmatch(character):
        return character.replace(".", r"\.")
    return rf"(?:\\?{re.escape(character)}|\\u(?i:{ord(character):04x}))"
