"""A credential as a value that does not print itself."""

from __future__ import annotations


class Secret:
    """A credential that does not print itself. ``reveal`` is called only where it is written to a socket."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def is_in(self, text: bytes) -> bool:
        """Whether somebody says it back."""
        return bool(self._value) and self._value.encode() in text

    def struck_from(self, text: bytes) -> bytes:
        """The text with dots in its place."""
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
