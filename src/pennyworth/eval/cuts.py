"""Streams that arrive in pieces, and replies that break off."""

from __future__ import annotations

import random

from pennyworth.eval import plain
from pennyworth.eval.case import Case, recorded

_CUTTINGS = 8
_PIECES = 24
_BREAKS = 24
_SHORT = 20_000
_GOOD = ("complete", "tools")


def all_equal(case: Case, seed: int) -> bool:
    """However a stream is cut into pieces, it is recorded as the same reply; byte by byte too, if it is short."""
    chance, size = _chance(case, seed), len(case.row.reply)
    cuttings: list[list[int]] = [[chance.randrange(size) for _ in range(_PIECES)] for _ in range(_CUTTINGS)]
    if size < _SHORT:
        cuttings.append(list(range(size)))
    return all(recorded(case.row, case.codec, case.request, cuts) == case.outcome for cuts in cuttings)


def never_complete(case: Case, seed: int) -> bool:
    """Broken off anywhere, a reply is not complete: neither where the connection broke, nor where the provider itself
    ended the body before the reply had said its end."""
    chance, size = _chance(case, seed), len(case.row.reply)
    return not any(_taken_for_whole(case, chance.randrange(size)) for _ in range(_BREAKS))


def _taken_for_whole(case: Case, upto: int) -> bool:
    row = case.row
    broken = recorded(row, case.codec, case.request, upto=upto, ended=False)
    ended = recorded(row, case.codec, case.request, upto=upto, ended=True)
    said = plain.said_in(row.reply[:upto], streamed=row.streamed)
    enough = row.streamed and plain.finished(row.dialect, said)
    return broken.ending in _GOOD or (ended.ending in _GOOD and not enough)


def _chance(case: Case, seed: int) -> random.Random:
    return random.Random(f"{seed}:{case.row.id}")
