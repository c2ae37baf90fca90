"""Identical questions in flight share one call. The table of flights that may be joined."""

from __future__ import annotations

import asyncio

from pennyworth.engine.flight import Flight
from pennyworth.request import Key


class Flights:
    """Flights by exact key, and all flights, shared or not, for the day they have to be ended."""

    def __init__(self) -> None:
        self._shared: dict[Key, Flight] = {}
        self._all: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Flight]:
        return list(self._all)

    def find(self, key: Key) -> Flight | None:
        flight = self._shared.get(key)
        return flight if flight is not None and not flight.over else None

    def add(self, flight: Flight, key: Key | None) -> None:
        self._all.add(flight)
        if key is not None:
            self._shared[key] = flight

    def remove(self, flight: Flight, key: Key | None) -> None:
        self._all.discard(flight)
        if key is not None and self._shared.get(key) is flight:
            del self._shared[key]

    def abort(self, why: str) -> list[asyncio.Task[None]]:
        """Ends every flight; readers are told why. Returns the tasks that are ending."""
        flying = self.all()
        for flight in flying:
            flight.abort(why)
        return [flight.task for flight in flying if flight.task is not None]
