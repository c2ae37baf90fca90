"""Pennyworth: a gateway and library that makes the language-model bill small, keeps the answers right, and proves it."""

__version__ = "0.1.0"
