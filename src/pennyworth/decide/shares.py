"""What did each item of a batch take, where the provider counts all of them together? In whole tokens that add up."""

from __future__ import annotations

from collections.abc import Sequence


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in proportion to the weights, which are positive: each share is rounded down, and what is left over goes
    to those who lost most by that (the first of them, where they lost the same)."""
    whole = sum(weights)
    pairs = [divmod(total * weight, whole) for weight in weights]
    given = [share for share, _ in pairs]
    left = total - sum(given)
    if left:
        for place in sorted(range(len(pairs)), key=lambda place: -pairs[place][1])[:left]:
            given[place] += 1
    return given
