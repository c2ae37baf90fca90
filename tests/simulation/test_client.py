"""A simulated application keeps to HTTP, so that what it is not given is the gateway's doing."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest

from pennyworth.simulation.client import GATEWAY, Client
from pennyworth.simulation.history import History
from pennyworth.simulation.loop import VirtualLoop
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.people import with_keys
from pennyworth.simulation.weather import Weather
from pennyworth.simulation.wishes import Wish, Wishes, questions

_REPLY = b"HTTP/1.1 401 X\r\ncontent-length: 2\r\n%b\r\n{}"


class Reluctant(asyncio.Protocol):
    """Answers whatever comes, as ``reply`` has it, and takes its time to end the connection."""

    def __init__(self, reply: bytes) -> None:
        self.asked = 0
        self._reply = reply
        self._transport: Any

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.asked += 1
        self._transport.write(self._reply)


def asked_on(more: bytes, wishes: int, **how: Any) -> list[int]:
    """How many requests came on each connection."""
    network, lines = Network(), list[Reluctant]()
    loop = VirtualLoop(network)

    def line() -> Reluctant:
        lines.append(Reluctant(_REPLY % more))
        return lines[-1]

    async def works() -> None:
        network.listen(Address(GATEWAY), line)
        chance = Random(1)
        wished = Wishes(chance, with_keys(chance, 2).tenants, questions(chance, 6), 0.0)
        left = iter([msgspec.structs.replace(wished.wish(), **how) for _ in range(wishes)])

        def next_wish() -> Wish | None:
            return next(left, None)

        await Client(network, Weather(chance, 0.0, 0.0), History(), loop.time, lambda: "w0").work(next_wish)

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(works())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return [each.asked for each in lines]


def test_a_connection_is_used_again() -> None:
    assert max(asked_on(b"", 10)) > 1


@pytest.mark.parametrize("slow", [True, False])
def test_nothing_is_asked_where_a_reply_has_said_that_it_is_the_last(slow: bool) -> None:
    assert asked_on(b"connection: close\r\n", 10, slow=slow) == [1] * 10


def test_nothing_is_asked_behind_half_a_request() -> None:
    assert asked_on(b"", 10, half=True) == [1] * 10
