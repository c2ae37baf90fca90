"""How bad things are in an episode: everything that may go wrong, and how often, drawn by seed."""

from __future__ import annotations

from random import Random

import msgspec


class Faults(msgspec.Struct, frozen=True):
    """How often the parts of a gateway fail, each call by itself; and by how much a store is slow."""

    store: float = 0.0
    slow_s: float = 0.0
    journal: float = 0.0
    control: float = 0.0


class Severity(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of wires, calls, requests that something befalls.

    Attributes:
        deaths: of the gateway, each as the steps and the writes to the journal after which it dies; -1 = not by these.
        tiered: the store has a second tier, which takes time.
        quiet: nothing goes wrong but what clients do: everybody must be served, and the books agree without exception.
    """

    network: float = 0.0
    providers: float = 0.0
    clients: float = 0.0
    faults: Faults = Faults()
    deaths: tuple[tuple[int, int], ...] = ()
    tiered: bool = False
    quiet: bool = False


def severity(chance: Random) -> Severity:
    draw = chance.choice
    tiered = draw((True, False))
    if chance.random() < 0.15:
        return Severity(clients=0.3, tiered=tiered, quiet=True)
    return Severity(
        network=draw((0.0, 0.05, 0.3)),
        providers=draw((0.02, 0.1, 0.3)),
        clients=draw((0.1, 1.0)),
        faults=Faults(
            store=draw((0.0, 0.02, 0.2)),
            slow_s=draw((0.001, 0.2)),
            journal=draw((0.0, 0.0, 0.0, 0.01)),
            control=draw((0.0, 0.1)),
        ),
        deaths=tuple(_death(chance) for _ in range(draw((0, 0, 3, 10)))),
        tiered=tiered,
    )


def _death(chance: Random) -> tuple[int, int]:
    """Some between two steps, most in the middle of one: in a write to the journal, before or after it."""
    if chance.random() < 0.7:
        return -1, chance.randrange(1, 120)
    return int(chance.random() ** 2 * 20_000), -1
