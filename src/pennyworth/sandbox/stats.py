"""What the sandbox has seen: counters for load tests, apart from the bill."""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.sandbox.bill import BillLine


class Stats(msgspec.Struct, kw_only=True):
    """Since the start or the last reset.

    Attributes:
        requests: chat completions that arrived. ``in_flight``, ``most_in_flight``: being answered now, and at most so far.
        clients_left: went before their reply was complete, while the provider was not itself breaking it.
        statuses, faults, models: how many of each.
    """

    requests: int = 0
    streams: int = 0
    completed: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    clients_left: int = 0
    statuses: dict[int, int] = {}
    faults: dict[str, int] = {}
    models: dict[str, int] = {}

    def arrived(self) -> None:
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def settled(self, line: BillLine) -> None:
        self.in_flight -= 1
        self.streams += line.stream
        self.completed += line.completed
        self.clients_left += line.billed and not line.completed
        self.statuses[line.status] = self.statuses.get(line.status, 0) + 1
        self.models[line.model] = self.models.get(line.model, 0) + 1
        if line.fault:
            self.faults[line.fault] = self.faults.get(line.fault, 0) + 1

    def as_json(self) -> dict[str, Any]:
        return {**msgspec.structs.asdict(self), "statuses": {str(k): v for k, v in self.statuses.items()}}
