"""In which dialect is a provider asked? In the caller's own where it speaks that, else in one it can be translated into."""

from __future__ import annotations

from pennyworth.plan import Provider
from pennyworth.request import Dialect

CONVERSATIONS: frozenset[Dialect] = frozenset(("chat", "messages", "responses"))
"""Dialects in which the same can be asked."""


def spoken(provider: Provider, dialect: Dialect) -> Dialect | None:
    """``None``: the provider cannot be asked this at all."""
    if dialect in provider.dialects:
        return dialect
    if dialect not in CONVERSATIONS:
        return None
    return next((other for other in provider.dialects if other in CONVERSATIONS), None)
