"""The kinds of value a configuration key may hold: how each is read, and how it is named and shown to people.

A kind knows neither its key nor its section. What it cannot read it refuses with ``UnusableError``: the problem and the fix.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pennyworth.config.problems import UnusableError, shown


def _as_it_is(value: Any) -> Any:
    return value


class Kind(msgspec.Struct, frozen=True):
    """One kind of value.

    Attributes:
        words: its name in the reference.
        read: from the TOML value to ours; raises ``UnusableError``.
        of_text: from an environment variable's text to the TOML value that ``read`` takes.
        show: from ours to what people read.
    """

    words: str
    read: Callable[[Any], Any]
    of_text: Callable[[str], Any] = _as_it_is
    show: Callable[[Any], str] = str


def _number_of_text(text: str) -> object:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _flag_of_text(text: str) -> object:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    return words.get(text.lower(), text)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise UnusableError(f"{shown(value)} is neither true nor false", "Use true or false, without quotes.")


def read_text(value: object) -> str:
    """A text of one line that is not empty."""
    if not isinstance(value, str):
        raise UnusableError(f"{shown(value)} is not a text", 'Put it in quotes, as in "text".')
    if not value.strip():
        raise UnusableError("the text is empty", "Give it a value, or leave the key out.")
    if not value.isprintable():
        raise UnusableError(
            "the text holds characters that cannot be printed", "Remove line breaks and control characters."
        )
    return value


def _path(value: object) -> str:
    return os.path.expanduser(read_text(value))


def _name(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        return value
    raise UnusableError(f"{shown(value)} is not a name", "Use up to 64 letters, digits, '-', '_' and '.'.")


def _pattern(value: object) -> str:
    # Only * is special where models are matched. What shells also know is refused, or it would silently match nothing.
    text = read_text(value)
    if len(text) > 200 or re.search(r"[\[\]?\s]", text):
        problem = f"{shown(text)} is not a pattern of model names"
        raise UnusableError(problem, "Use * for any run of characters; nothing else is special.")
    return text


def list_of(read: Callable[[Any], str], *, least: int = 0) -> Callable[[object], tuple[str, ...]]:
    """Reads a list, each item by ``read``; a list shorter than ``least`` is refused."""

    def read_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise UnusableError(f"{shown(value)} is not a list of texts", 'Use a list, as in ["one", "two"].')
        if len(value) < least:
            raise UnusableError("the list is empty", "Name at least one, or leave the key out.")
        return tuple(read(item) for item in value)

    return read_all


def show_texts(values: Sequence[str]) -> str:
    return ", ".join(values) if values else "none"


def _table(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise UnusableError(
        f"{shown(value)} is not a table", "Write it as a section: its name in brackets, then key = value."
    )


def _tables(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise UnusableError(f"{shown(value)} is not a list of tables", "Write each one under a heading in double brackets.")


def whole(least: int, most: int, words: str = "") -> Kind:
    """A whole number within bounds. ``words``: its name where the upper bound is beyond anybody's interest."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise UnusableError(f"{shown(value)} is not a whole number from {least} to {most}", "Use one in that range.")

    return Kind(words or f"whole number, {least} to {most}", read, _number_of_text)


def one_of(words: Sequence[str]) -> Kind:
    """One of a few words, in any case."""

    def read(value: object) -> str:
        if isinstance(value, str) and value.lower() in words:
            return value.lower()
        raise UnusableError(f"{shown(value)} is not one of the choices", f"Use {' or '.join(map(repr, words))}.")

    return Kind(", ".join(f'"{word}"' for word in words), read)


def some_of(words: Sequence[str]) -> Kind:
    """A list of some of a few words."""
    word = one_of(words)
    return Kind(f"list of {word.words}", list_of(word.read), show=show_texts)


FLAG = Kind("true or false", _flag, _flag_of_text, lambda value: "true" if value else "false")
TEXT = Kind("text", read_text)
PATH = Kind("path", _path)
NAME = Kind("name", _name)
TEXTS = Kind("list of texts", list_of(read_text), show=show_texts)
PATTERNS = Kind("list of model patterns", list_of(_pattern, least=1), show=show_texts)
PORT = whole(0, 65535)
TABLE = Kind("table", _table)
TABLES = Kind("list of tables", _tables)
