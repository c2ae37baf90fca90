"""Does a name match a pattern of the configuration? ``*`` stands for any run of characters, everything else for itself."""

from __future__ import annotations

from collections.abc import Iterable


def matches(pattern: str, name: str) -> bool:
    """Linear in the name, whatever the pattern: each piece is looked for once, from where the last one ended."""
    if pattern == "*" or pattern == name:
        return True
    star = pattern.find("*")
    if star < 0:
        return False
    if star == len(pattern) - 1:  # nearly every pattern is a prefix
        return name.startswith(pattern[:-1])
    first, *middle, last = pattern.split("*")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def any_matches(patterns: Iterable[str], name: str) -> bool:
    # Not ``any`` of a generator, which takes twice the time: it is asked on hits.
    for pattern in patterns:  # noqa: SIM110
        if matches(pattern, name):
            return True
    return False
