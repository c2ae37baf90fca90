"""What is different between two Plans, key by key as one writes them, and what of it only a restart can change.

Secrets are never shown, nor anything that could be one: such a key has "changed", and that is all that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from pennyworth.clients import Budget, ClientKey
from pennyworth.config.amounts import show_switch
from pennyworth.config.kinds import Kind
from pennyworth.config.problems import dotted, resembles_credential
from pennyworth.config.reading import Section
from pennyworth.config.schema import SECTIONS
from pennyworth.errors import ConfigError
from pennyworth.money import Price
from pennyworth.plan import Listen, Plan, Provider, Switch
from pennyworth.secret import Secret

_LONGEST = 60

FIXED = frozenset(
    [
        "listen.host", "listen.port", "listen.workers", "admin.host", "admin.port", "state_dir",
        "cache.max_entries", "cache.max_bytes", "cache.l1_entries", "cache.l1_bytes", "cache.slow_after",
        "cache.encrypt",
    ]
)  # fmt: skip
"""Sockets, processes and stores are made once, at the start."""


class Change(msgspec.Struct, frozen=True):
    """One key, and in words what became of it: ``25s → 10s``, ``added``, ``changed``."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"


def changes(old: Plan, new: Plan) -> list[Change]:
    """In the order of the Plan; none where the two say the same."""
    return list(_of_struct(old, new, ""))


def needs_restart(old: Plan, new: Plan) -> list[ConfigError]:
    """Each change that a running gateway cannot make."""
    fix = "It needs a restart: put the old value back to reload, or restart the gateway."
    return [ConfigError(each.key, f"it cannot change while the gateway runs ({each.what})", fix)
            for each in changes(old, new) if each.key in FIXED]  # fmt: skip


def _of_struct(old: msgspec.Struct, new: msgspec.Struct, at: str) -> Iterator[Change]:
    for attr in old.__struct_fields__:
        before, after = getattr(old, attr), getattr(new, attr)
        if before != after and (type(old), attr) not in _DERIVED:
            key, kind = _key(type(old), attr, at)
            yield from _of_value(key, before, after, kind)


def _of_value(key: str, before: Any, after: Any, kind: Kind | None) -> Iterator[Change]:
    if key.endswith(".budgets"):
        yield from _of_budgets(key.removesuffix("budgets"), before, after)
    elif isinstance(before, Switch) and isinstance(after, Switch):
        yield Change(key, f"{show_switch(before)} → {show_switch(after)}")
    elif isinstance(before, msgspec.Struct) and type(before) is type(after) and not isinstance(before, Price):
        yield from _of_struct(before, after, key)
    elif isinstance(before, dict) and isinstance(after, dict):
        yield from _of_names(key, before, after)
    elif _named(before) and _named(after):
        yield from _of_names(key, _by_name(before), _by_name(after))
    else:
        yield Change(key, _shown(before, after, kind))


def _of_budgets(at: str, before: tuple[Budget, ...], after: tuple[Budget, ...]) -> Iterator[Change]:
    was, now = ({each.period: f"{each.amount} {each.currency}" for each in some} for some in (before, after))
    for period in ("day", "month"):
        if was.get(period) != now.get(period):
            yield Change(f"{at}budget_{period}", f"{was.get(period, 'none')} → {now.get(period, 'none')}")


def _of_names(at: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    yield from (Change(dotted(at, name), "removed") for name in before if name not in after)
    for name, value in after.items():
        if name not in before:
            yield Change(dotted(at, name), "added")
        elif value != before[name]:
            yield from _of_value(dotted(at, name), before[name], value, None)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield Change(at, "in another order")


def _shown(before: Any, after: Any, kind: Kind | None) -> str:
    if isinstance(before, Secret):
        return "changed (not shown)" if before and after else "set (not shown)" if after else "no longer set"
    texts = [_text(value, kind) for value in (before, after)]
    if texts[0] == texts[1] or any(not text or len(text) > _LONGEST or resembles_credential(text) for text in texts):
        return "changed"
    return " → ".join(texts)


def _text(value: Any, kind: Kind | None) -> str:
    """ "" where it is nothing that can be said in a few words."""
    if value is None or value == () or value == "":
        return "none"
    if kind is not None:
        return kind.show(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _named(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(getattr(each, "name", None), str) for each in value)


def _by_name(value: tuple[Any, ...]) -> dict[str, Any]:
    return {each.name: each for each in value}


def _key(noun: type[msgspec.Struct], attr: str, at: str) -> tuple[str, Kind | None]:
    """As one writes it in the file, and what kind of value it holds."""
    if attr in _BESIDE:
        return at, None
    section, key, kind = _WRITTEN.get((noun, attr), ("", attr, None))
    return (f"{section}.{key}" if section else f"{at}.{key}" if at else key), kind


def _written(section: Section) -> Iterator[tuple[tuple[type[msgspec.Struct], str], tuple[str, str, Kind | None]]]:
    """What is in a section of the same name as its place in the Plan is found by that; these sections are not."""
    one = section.heading.strip("[]") if section.noun in (Plan, Listen) else ""
    for field in section.fields:
        yield (section.noun, field.attr or field.key), (one, field.key, field.kind)


_WRITTEN: Mapping[tuple[type[msgspec.Struct], str], tuple[str, str, Kind | None]] = MappingProxyType(
    {known: written for section in SECTIONS for known, written in _written(section)}
    | {
        (Provider, "credential"): ("", "key", None),
        (Provider, "key_source"): ("", "key_env", None),
        (ClientKey, "secret"): ("", "key", None),
        (Plan, "admin_key"): ("admin", "key", None),
    }
)
_BESIDE = frozenset(["allowance", "road", "quirks"])
"""Nouns of their own whose keys stand in the file beside those of whom they belong to."""

_DERIVED = frozenset([(Plan, "digest")])
