"""What befalls the wires: how late bytes come, in how many pieces, and whether the wire breaks under them. All by seed."""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Fate(NamedTuple):
    """Of one direction of one wire, drawn when it is laid.

    Attributes:
        latency_s: of each piece. ``jitter_s``: at most so much more.
        pieces: a write arrives in up to so many pieces.
        window: bytes that the kernels on both sides hold; what is beyond waits in the transport.
        breaks_at: the wire is reset when so many bytes have gone; negative = never.
        stalls_at, stall_s: after so many bytes nothing comes for so long.
    """

    latency_s: float = 0.001
    jitter_s: float = 0.0
    pieces: int = 1
    window: int = 1 << 18
    breaks_at: int = -1
    stalls_at: int = -1
    stall_s: float = 0.0


class Weather:
    """How rough the network is. ``rough``: the share of wires that something befalls."""

    def __init__(self, chance: Random, rough: float, longest_stall_s: float) -> None:
        self.chance = chance
        self._rough = rough
        self._longest_stall_s = longest_stall_s

    def calm(self) -> None:
        """Nothing befalls the wires that are laid from now on."""
        self._rough = 0.0

    def fate(self) -> Fate:
        chance = self.chance
        latency_s = chance.choice((0.0, 0.0001, 0.002, 0.02))
        if chance.random() >= self._rough:
            return Fate(latency_s=latency_s)
        breaks, stalls = chance.random() < 0.3, chance.random() < 0.2
        return Fate(
            latency_s=latency_s,
            jitter_s=chance.choice((0.0, 0.001, 0.3)),
            pieces=chance.choice((1, 2, 3, 8)),
            window=chance.choice((0, 200, 4096, 1 << 16)),
            breaks_at=int(chance.paretovariate(0.4)) if breaks else -1,
            stalls_at=chance.randrange(4000) if stalls else -1,
            stall_s=chance.random() * self._longest_stall_s,
        )

    def dials(self) -> str:
        """What becomes of an attempt to connect: it works, is refused, or is never answered."""
        drawn = self.chance.random()
        if drawn < self._rough * 0.04:
            return "refused"
        return "lost" if drawn < self._rough * 0.05 else ""
