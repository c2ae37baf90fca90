"""Takes an HTTP client's requests to the engine: finds its house, and says whose they are."""

from __future__ import annotations

from collections.abc import Callable

from pennyworth.secret import Secret
from pennyworth.transport.asking import Pairs, Patience, asked
from pennyworth.transport.house import House
from pennyworth.transport.visit import Visit


class Porter:
    """``house`` gives the one that is open in this process; ``secret`` is the client key to ask with, if any."""

    def __init__(self, house: Callable[[], House], secret: Secret) -> None:
        self._house = house
        self._secret = secret.reveal()

    def visit(self, method: str, target: bytes, pairs: Pairs, body: bytes, waits: Patience) -> Visit:
        return Visit(self._house(), asked(method, target, pairs, body, waits, self._secret))
