"""What goes wrong at a simulated provider: good spells, bad spells, and every fault the sandbox knows, by seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pennyworth.sandbox.faults import Asked, Kind, Rule, Script

_RETRY_AFTER = ("", "1", "0.2", "date+2", "999999", "-3", "soon")
_SPELL_S = 30.0

_STREAMY: tuple[Kind, ...] = (
    *("stall", "cut", "cut", "done_without_finish", "no_done", "malformed", "error_event", "length"),
    *("content_filter", "refusal", "tool_calls", "drip", "huge", "endless", "gzip", "reset", "hang", "body_cut"),
)


class SeededScript(Script):
    """In good spells ``rate`` of the calls go wrong; in bad ones, which come and go, most of them fail by a status."""

    def __init__(self, chance: Random, rate: float, time: Callable[[], float]) -> None:
        super().__init__((), seed=0, prompt_faults=False)
        self._chance = chance
        self._rate = rate
        self._time = time
        self._spell_ends = 0.0
        self._bad = False

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._rate, self._bad = 0.0, False

    def choose(self, asked: Asked) -> Rule | None:
        chance = self._chance
        now = self._time()
        if self._rate and now >= self._spell_ends:
            self._spell_ends = now + chance.random() * _SPELL_S
            self._bad = chance.random() < self._rate
        if self._bad and chance.random() < 0.8:
            return _status(chance)
        if chance.random() >= self._rate:
            return None
        return _status(chance) if chance.random() < 0.25 else _broken(chance)


def _status(chance: Random) -> Rule:
    status = chance.choice((400, 401, 402, 404, 408, 429, 429, 429, 500, 500, 502, 503, 504, 529))
    return Rule(kind="status", status=status, retry_after=chance.choice(_RETRY_AFTER))


def _broken(chance: Random) -> Rule:
    kind = chance.choice(_STREAMY)
    at_byte = int(chance.paretovariate(0.3)) if chance.random() < 0.7 else -1
    return Rule(
        kind=kind,
        after=chance.randrange(8),
        at_byte=at_byte if kind in ("cut", "body_cut") else -1,
        abort=chance.random() < 0.5,
        size=chance.choice((0, 3000)) if kind == "gzip" else 3000,
        pause_s=0.0005,
    )
