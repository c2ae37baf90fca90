"""What must hold of every episode, whatever went wrong in it. Reads the history, and trusts the gateway in nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pennyworth.simulation.history import Asked, Call, History
from pennyworth.simulation.scene import Scene


class Broken(NamedTuple):
    """A law that did not hold. ``request``: the number of the client's request it was seen by; 0 = by none in particular."""

    law: str
    request: int
    what: str

    def __str__(self) -> str:
        return f"{self.law}: {f'request {self.request}: ' if self.request else ''}{self.what}"


class Evidence(NamedTuple):
    """All that a law may look at. ``amount``: what a provider would charge, by its own reckoning. ``quiet``: nothing went
    wrong in this episode but what clients do."""

    scene: Scene
    history: History
    amount: Callable[[Call, str], int]
    quiet: bool

    def call_of(self, reply_id: str) -> Call | None:
        return self.history.calls.get(
            "req_" + reply_id.removeprefix("chatcmpl-").removeprefix("msg_").removeprefix("resp_")
        )

    def revoked(self, asked: Asked) -> bool:
        """Whether its key had been, when it ended: such a request may be turned away at the door."""
        key = asked.wish.tenant.key
        return bool(key) and any(
            order.what == "revoke" and order.value == key and order.at_s <= asked.ended_s
            for order in self.history.orders
        )


Law = Callable[[Evidence], Iterator[Broken]]
