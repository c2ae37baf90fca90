"""What a long random trial is: makes a case, holds a law over it. A case is bytes, so that one that was found can be kept.

A trial that finds something says it with the case; the case goes as a row into ``rows.jsonl`` and is tried ever after.
"""

from __future__ import annotations

import json
import random
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple

Case = tuple[bytes, ...]

ROWS = Path(__file__).with_name("rows.jsonl")

_PATIENCE_S = 20.0
"""Of CPU time for one case; a case is a few kilobytes, which take a millisecond."""

_LOOK_EVERY = 256


class Trial(NamedTuple):
    """``check`` says in a few words how a case ended; it raises where a law is broken."""

    make: Callable[[random.Random], Case]
    check: Callable[[Case], str]


class BrokenLawError(AssertionError):
    """What must always hold did not, and the bytes that show it."""

    def __init__(self, law: str, *shown: bytes) -> None:
        super().__init__(f"{law}: {' / '.join(map(repr, shown))}")


class FoundError(AssertionError):
    """A case that breaks a law, or the program."""

    def __init__(self, error: BaseException, case: Case) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        super().__init__(f"{type(error).__name__} at {where}: {str(error)[:500]}")
        self.case = case


class EndlessError(Exception):
    """A case takes for ever."""


def tried(trial: Trial, chance: random.Random, count: int) -> Counter[str]:
    """So many trials, by how they ended. Raises ``FoundError``."""
    ends: list[str] = []
    make, check = trial
    with _Patience() as patience:
        for number in range(count):
            if number % _LOOK_EVERY == 0:
                patience.renew()
            case = make(chance)
            try:
                ends.append(check(case))
            except Exception as error:  # whatever it is, it is what is looked for
                raise FoundError(error, case) from error
    return Counter(ends)


def row(name: str, case: Case) -> str:
    """The case as a line for ``rows.jsonl``."""
    return json.dumps({"trial": name, "case": [part.decode("latin-1") for part in case]})


def rows() -> list[tuple[str, Case]]:
    """Every case that was found once."""
    found = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]
    return [(one["trial"], tuple(part.encode("latin-1") for part in one["case"])) for one in found]


class _Patience:
    """Interrupts what takes for ever, where the platform can."""

    def __enter__(self) -> _Patience:
        with suppress(AttributeError, ValueError):  # no such signal here, or not the main thread
            self._before = signal.signal(signal.SIGVTALRM, _endless)
        return self

    def renew(self) -> None:
        with suppress(AttributeError):
            signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        with suppress(AttributeError, ValueError):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, self._before)


def _endless(_: int, __: FrameType | None) -> None:
    raise EndlessError


def cut(chance: random.Random, raw: bytes) -> Case:
    """The bytes in pieces, as a socket may bring them."""
    places = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.choice((1, 2, 5, 40))))
    return tuple(raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True))


def mutated(rng: random.Random, seed: bytes, bits: tuple[bytes, ...]) -> bytes:
    """A few changes of the kinds that find mistakes: bytes turned, pieces cut out, doubled, moved, put in."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        size = rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
            case 3:
                data[at:at] = rng.choice(bits)
            case 4:
                data[at : at + size] = rng.choice(bits)
            case _:
                data[at:at] = rng.randbytes(size)
    return bytes(data)
