"""What may go wrong on a line between two programs, as values; and what that does to the bytes, as a pure function of them.

Offsets count the bytes of one direction of one connection from 0. ``way`` is ``down`` (to the client) or ``up``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

import msgspec

Way = Literal["down", "up"]

FOR_EVER = float("inf")


class Delay(msgspec.Struct, frozen=True, tag="delay"):
    """Every piece read is passed on so much later, give or take ``jitter_s``."""

    s: float
    jitter_s: float = 0.0
    way: Way = "down"


class Rate(msgspec.Struct, frozen=True, tag="rate"):
    """No more than so many bytes a second."""

    bytes_per_s: float
    way: Way = "down"


class Stall(msgspec.Struct, frozen=True, tag="stall"):
    """After ``at`` bytes nothing more is passed on for so long; the connection stays open."""

    at: int
    s: float = FOR_EVER
    way: Way = "down"


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """After ``at`` bytes the connection is closed in order, on both sides."""

    at: int
    way: Way = "down"


class Reset(msgspec.Struct, frozen=True, tag="reset"):
    """After ``at`` bytes the connection is broken by TCP RST, on both sides."""

    at: int
    way: Way = "down"


class Swallow(msgspec.Struct, frozen=True, tag="swallow"):
    """From ``at`` on what is sent is taken and never arrives, and so is its end: a half-open connection."""

    at: int = 0
    way: Way = "down"


class Corrupt(msgspec.Struct, frozen=True, tag="corrupt"):
    """Bytes are changed: those at these offsets, and this ``share`` of all, by chance."""

    at: tuple[int, ...] = ()
    share: float = 0.0
    way: Way = "down"


class BlackHole(msgspec.Struct, frozen=True, tag="black-hole"):
    """The connection is accepted; nothing is read from it, nothing is ever said, the server is not called."""


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """The connection is reset as soon as it is accepted, and the server is not called."""


Fault = Delay | Rate | Stall | Cut | Reset | Swallow | Corrupt | BlackHole | Refuse

_BY_NAME: dict[str, type[Fault]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Fault)}
_PIECES_PER_S = 20


class Pass(msgspec.Struct, frozen=True):
    """These bytes go on."""

    data: bytes


class Wait(msgspec.Struct, frozen=True):
    """Nothing happens in this direction for so long."""

    s: float


class End(msgspec.Struct, frozen=True):
    """The connection ends: by a reset, or in order."""

    by_reset: bool


Act = Pass | Wait | End


class Course:
    """One direction of one connection under its faults: fed bytes in any cut, it says what becomes of them.

    The bytes passed depend on what was fed and on the seed, never on how it was cut.

    Attributes:
        taken: bytes fed. ``passed``: bytes that went on. ``corrupted``: offsets of the changed ones.
        swallows: what still comes, the end included, is to be kept quiet about.
    """

    def __init__(self, faults: Iterable[Fault], way: Way, seed: str = "") -> None:
        mine = [fault for fault in faults if getattr(fault, "way", None) == way]
        self.taken = 0
        self.passed = 0
        self.corrupted: list[int] = []
        self.swallows = False
        self._chance = random.Random(f"{seed} pace {way}")
        self._delays = [fault for fault in mine if isinstance(fault, Delay)]
        self._rate = min((fault.bytes_per_s for fault in mine if isinstance(fault, Rate)), default=0.0)
        self._turns = sorted(
            (fault for fault in mine if isinstance(fault, Stall | Cut | Reset | Swallow)), key=lambda fault: fault.at
        )
        self._spoilt = _spoilt(mine, seed)
        self._next_spoilt = next(self._spoilt, None)

    def begin(self) -> Iterator[Act]:
        """What happens before the first byte."""
        yield from self._turn()

    def feed(self, data: bytes) -> Iterator[Act]:
        for delay in self._delays:
            yield Wait(max(0.0, delay.s + self._chance.uniform(-delay.jitter_s, delay.jitter_s)))
        while data:
            until = self._turns[0].at - self.taken if self._turns else len(data)
            part, data = data[:until], data[until:]
            part = self._spoil(part)
            self.taken += len(part)
            if not self.swallows:
                self.passed += len(part)
                yield from self._paced(part)
            yield from self._turn()

    def _turn(self) -> Iterator[Act]:
        """What happens at this very offset."""
        while self._turns and self._turns[0].at <= self.taken:
            match self._turns.pop(0):
                case Stall(s=s):
                    yield Wait(s)
                case Cut():
                    yield End(by_reset=False)
                case Reset():
                    yield End(by_reset=True)
                case Swallow():
                    self.swallows = True

    def _paced(self, part: bytes) -> Iterator[Act]:
        size = max(1, int(self._rate / _PIECES_PER_S)) if self._rate else len(part)
        for start in range(0, len(part), size or 1):
            piece = part[start : start + size]
            yield Pass(piece)
            if self._rate:
                yield Wait(len(piece) / self._rate)

    def _spoil(self, part: bytes) -> bytes:
        end = self.taken + len(part)
        changed = bytearray(part)
        while self._next_spoilt is not None and self._next_spoilt[0] < end:
            at, turned = self._next_spoilt
            if at >= self.taken:
                changed[at - self.taken] ^= turned
                self.corrupted.append(at)
            self._next_spoilt = next(self._spoilt, None)
        return bytes(changed)


def _spoilt(faults: Sequence[Fault], seed: str) -> Iterator[tuple[int, int]]:
    """Offsets and the bits turned there, rising; without end where they are by chance."""
    corrupt = [fault for fault in faults if isinstance(fault, Corrupt)]
    known = sorted({at for fault in corrupt for at in fault.at})
    share = max((fault.share for fault in corrupt), default=0.0)
    chance = random.Random(f"{seed} corrupt")
    if not share:
        yield from ((at, chance.randrange(1, 256)) for at in known)
        return
    at = -1
    while True:
        at += 1 + _gap(chance, share)
        while known and known[0] < at:
            yield known.pop(0), chance.randrange(1, 256)
        if known and known[0] == at:
            known.pop(0)
        yield at, chance.randrange(1, 256)


def _gap(chance: random.Random, share: float) -> int:
    """How many bytes stay as they are before the next that does not."""
    gap = 0
    while chance.random() >= share:
        gap += 1
    return gap


def read_fault(text: str) -> Fault:
    """A fault as people write it: its name, its fields by name, ``cut,at=1200``, ``delay,s=0.2,way=up``.

    Raises ``ValueError`` that says what there is instead.
    """
    name, *fields = text.split(",")
    kind = _BY_NAME.get(name.strip())
    if kind is None:
        raise ValueError(f"{name!r} is no fault; there are {', '.join(sorted(_BY_NAME))}")
    values: dict[str, object] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals or key.strip() not in kind.__struct_fields__:
            has = ", ".join(kind.__struct_fields__) or "no fields"
            raise ValueError(f"{field!r} is no field of {name}: it has {has}, written as name=value")
        values[key.strip()] = value.split("+") if (name, key.strip()) == ("corrupt", "at") else value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{text!r}: {error}") from error
