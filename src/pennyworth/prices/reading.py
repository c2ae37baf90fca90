"""Reads single values of the overlay file. What cannot be used is refused with the place, the value and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from pennyworth.errors import ConfigError

_MOST_DIGITS = 30


class Place(msgspec.Struct, frozen=True):
    """A table of the file: where it is, in words, and what it holds."""

    where: str
    table: Mapping[str, Any]

    def error(self, key: str, problem: str, fix: str) -> ConfigError:
        return ConfigError(f"{self.where}.{key}" if key else self.where, problem, fix)

    def only(self, known: Iterable[str]) -> None:
        """Refuses keys nobody reads: a misspelt rate would silently charge nothing."""
        known = sorted(known)
        for key in self.table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                fix = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(known)}."
                raise self.error(key, "no such key", fix)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if value is None:
            raise self.error(key, "missing", f'Write {key} = "…"; * stands for any run of characters.')
        if not isinstance(value, str) or not value:
            raise self.error(key, f"{_shown(value)} is not a text", 'Give a text in quotes, as in "openai".')
        return value

    def number(self, key: str, *, above_zero: bool = False) -> Decimal | None:
        """An exact number, written as a TOML number or in quotes; ``None`` if the key is absent."""
        if key not in self.table:
            return None
        value = self.table[key]
        number = _decimal(value)
        if number is None:
            raise self.error(key, f"{_shown(value)} is not a number", 'Write a number, as in "0.15".')
        if number < 0 or (above_zero and number == 0):
            problem = f"{_shown(value)} is {'not above' if above_zero else 'below'} zero"
            raise self.error(key, problem, 'Write a positive number, as in "0.15".')
        return number

    def required(self, key: str, why: str, *, above_zero: bool = False) -> Decimal:
        number = self.number(key, above_zero=above_zero)
        if number is None:
            raise self.error(key, "missing", why)
        return number

    def instant(self, key: str) -> float | None:
        """Unix time of a date (its midnight, UTC) or of a date with time; one without zone is in UTC."""
        value = self.table.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
        raise self.error(
            key, f"{_shown(value)} is not a date", f"Write a date without quotes, as in {key} = 2026-11-01."
        )


def _decimal(value: object) -> Decimal | None:
    """Finite and of sane length: "1e-999999" would make every sum a number of a million digits."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS or len(number.as_tuple().digits) > _MOST_DIGITS:
        return None
    return number


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
