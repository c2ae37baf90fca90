"""How configuration errors are found and handed over: all of a file together, none showing a credential."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pennyworth.errors import ConfigError

_CREDENTIAL = re.compile(r"(?i)(^|[^a-z0-9])(sk|pk|rk|gsk|xai|hf|ghp|nvapi|pw)[-_]\w|AIza\w|\b(bearer|basic)\s+\S")
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+/=.-]{24,}")
_LONGEST = 60


class ConfigErrors(ConfigError):  # noqa: N818  # it is several
    """Several errors of one configuration. ``key``, ``problem`` and ``fix`` are those of the first.

    Attributes:
        errors: each of them, in the order of reading.
    """

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        first = errors[0]
        super().__init__(first.key, first.problem, first.fix)
        self.errors = tuple(errors)
        self.args = ("\n".join(str(error) for error in errors),)


class UnusableError(Exception):
    """A value that a kind cannot read. Whoever reads the table knows the key and makes a ``ConfigError`` of it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


def resembles_credential(text: str) -> bool:
    """Whether a text could be a pasted key; used only to keep it out of messages, so it may err on the safe side."""
    return bool(_CREDENTIAL.search(text) or _TOKEN.fullmatch(text))


def shown(value: object) -> str:
    """A value as an error shows it: one short line, never a credential, never the inside of a table."""
    match value:
        case str():
            return _shown_text(value)
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 128:  # printing a huge integer is an error of its own in Python
            return "a very large number"
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return _cut(str(value))


def _shown_text(text: str) -> str:
    return "a text that resembles a credential (not shown)" if resembles_credential(text) else _cut(repr(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def dotted(at: str, name: str) -> str:
    """The full key as one writes it in TOML: ``models."gpt-4.1".revision``."""
    if _CREDENTIAL.search(name):
        name = '"…"'
    elif not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        name = _cut('"' + name.encode("unicode_escape").decode().replace('"', '\\"') + '"')
    return f"{at}.{name}" if at else name
