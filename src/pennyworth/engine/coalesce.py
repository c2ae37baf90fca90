"""Identical questions in flight share one call. The table of flights that may be joined."""

from __future__ import annotations

import asyncio

from pennyworth.engine.flight import Flight
from pennyworth.request import Key


class Flights:
    """Flights by exact key and purge epoch, and all flights, shared or not, for the day they have to be ended.

    What was asked for before a purge must not be given to who asks after it, so a flight is joined within its epoch.
    """

    def __init__(self) -> None:
        self._shared: dict[tuple[Key, int], Flight] = {}
        self._all: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Flight]:
        return list(self._all)

    def find(self, key: Key, epoch: int) -> Flight | None:
        """A flight under way."""
        flight = self._shared.get((key, epoch))
        return flight if flight is not None and flight.wanted and not (flight.over or flight.alone) else None

    def add(self, flight: Flight, key: Key | None, epoch: int) -> None:
        self._all.add(flight)
        if key is not None:
            flight.shared_under = (key, epoch)
            self._shared[key, epoch] = flight

    def remove(self, flight: Flight) -> None:
        self._all.discard(flight)
        under = flight.shared_under
        if under is not None and self._shared.get(under) is flight:
            del self._shared[under]

    def abort(self, why: str) -> list[asyncio.Task[None]]:
        """Ends every flight; readers are told why. Returns the tasks that are ending."""
        flying = self.all()
        for flight in flying:
            flight.abort(why)
        return [flight.task for flight in flying if flight.task is not None]
