"""Chance that can be replayed: drawn by key, never from a stream of random numbers that concurrency would reorder."""

from __future__ import annotations

import hashlib


def draw(key: str) -> float:
    """Uniform in [0, 1), the same for the same key everywhere."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "big") / 2**56
