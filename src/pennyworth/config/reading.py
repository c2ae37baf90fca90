"""One reading of a configuration: sections described as data, their values read, every error collected on the way.

A value that cannot be used is reported and left out, so that its default stands and the reading goes on to the next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pennyworth.config.kinds import Kind
from pennyworth.config.problems import ConfigErrors, UnusableError, dotted, shown
from pennyworth.errors import ConfigError


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a section.

    Attributes:
        attr: the attribute of the section's noun that it fills, "" = of the same name.
        env: the environment variable that takes precedence over it.
        default: in words, where it is not simply the noun's own.
    """

    key: str
    kind: Kind
    meaning: str
    attr: str = ""
    env: str = ""
    default: str = ""
    required: bool = False


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the file. ``noun``: what it becomes; its defaults are the section's."""

    heading: str
    meaning: str
    noun: type[msgspec.Struct]
    fields: tuple[Field, ...]


class Reading:
    """Reads tables by their sections. Holds the environment and the errors found so far."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.errors: list[ConfigError] = []

    def wrong(self, key: str, problem: str, fix: str) -> None:
        self.errors.append(ConfigError(key, problem, fix))

    def finish(self) -> None:
        """Raises what was found: one error as itself, several together."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise ConfigErrors(self.errors)

    def variable(self, name: str) -> str:
        """The variable's text without surrounding space; "" where it is unset. An empty variable counts as unset."""
        return self.env.get(name, "").strip() if name else ""

    def source(self, field: Field, at: str) -> str:
        """Where a field's value comes from: its environment variable if that is set, else its key."""
        return field.env if self.variable(field.env) else dotted(at, field.key)

    def table(self, value: object, at: str) -> Mapping[str, object]:
        """The table at a key; an empty one where it is absent or no table."""
        if isinstance(value, dict):
            return value
        if value is not None:
            heading = f"[{at}]"
            self.wrong(at, f"{shown(value)} is not a table", f"Write it as a section: {heading}, then key = value.")
        return {}

    def named(self, value: object, at: str, name: Kind) -> dict[str, Mapping[str, object]]:
        """The tables under a section whose keys are names: ``[providers.NAME]``."""
        tables = {}
        for key, table in self.table(value, at).items():
            if self.read(name, key, dotted(at, key)) is not None:
                tables[key] = self.table(table, dotted(at, key))
        return tables

    def section(
        self, section: Section, table: Mapping[str, object], at: str, subtables: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The values given in a table, by attribute. Unknown keys and missing required ones are errors.

        ``subtables``: keys that somebody else reads.
        """
        self._refuse_unknown(table, [*(field.key for field in section.fields), *subtables], at)
        values = {}
        for field in section.fields:
            value = self._value(field, table, at)
            if value is not None:
                values[field.attr or field.key] = value
        return values

    def read(self, kind: Kind, value: object, key: str) -> Any:
        """The value as its kind reads it; ``None``, and an error noted, where it cannot."""
        try:
            return kind.read(value)
        except UnusableError as refusal:
            self.wrong(key, refusal.problem, refusal.fix)
            return None

    def unknown(self, name: str, known: Iterable[str], key: str, what: str) -> None:
        """Notes that something names what does not exist."""
        self.wrong(key, f"there is no {what} named {shown(name)}", suggestion(name, known))

    def _value(self, field: Field, table: Mapping[str, object], at: str) -> Any:
        if text := self.variable(field.env):
            return self.read(field.kind, field.kind.of_text(text), field.env)
        if field.key in table:
            return self.read(field.kind, table[field.key], dotted(at, field.key))
        if field.required:
            self.wrong(dotted(at, field.key), "it is missing", f"Give it: {field.meaning}")
        return None

    def _refuse_unknown(self, table: Mapping[str, object], known: Iterable[str], at: str) -> None:
        for key in table:
            if key not in known:
                self.wrong(dotted(at, key), "there is no such key", suggestion(key, known))


def suggestion(name: str, known: Iterable[str]) -> str:
    """What the writer may have meant: the nearest name, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name[:100], names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known here: {', '.join(names)}." if names else "None is configured."
