"""Pennyworth: a gateway and library that makes the language-model bill small, keeps the answers right, and proves it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pennyworth.transport import Pennyworth

__version__ = "0.1.0"
__all__ = ["Pennyworth", "__version__"]


def __getattr__(name: str) -> Any:
    """The library is loaded when it is first named: most who import this package want a part of it."""
    if name == "Pennyworth":
        return import_module("pennyworth.transport").Pennyworth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
