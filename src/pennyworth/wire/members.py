"""Members of JSON objects: take out what is understood, and leave the rest for ``extra``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.canonical import Lexeme

NUMBER = (int, float, Lexeme)
_MISSING = object()


def taken(rest: dict[str, Any], name: str, *kinds: type) -> Any:
    """The member, taken out of ``rest``; ``None`` if it is not there or of another type: then it stays."""
    value = rest.get(name, _MISSING)
    if value.__class__ in kinds:
        del rest[name]
        return value
    return None


def put(out: dict[str, Any], members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``out`` with those members that are said."""
    out.update([member for member in members if member[1] is not None])
    return out


def with_extra(out: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``out`` with what stands in ``extra``; objects that are in both become one."""
    for name, value in extra.items():
        before = out.get(name)
        out[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return out
