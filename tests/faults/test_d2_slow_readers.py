"""D2: callers who read slowly: for each a bounded number of bytes waits, the provider is held back, others are served.

One who does not read at all, and one who is given up: ``tests/door/test_leaving.py``.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from pennyworth.testing.chat_bytes import chat_json, event
from pennyworth.testing.scripted_server import connection, http_head, send
from tests.door.raw import Wire, post, question
from tests.door.running import Running, eventually
from tests.door.scripted_provider import last_reply
from tests.faults.conftest import MakeStage

READERS = 60
MOST = 256 * 1024
PIECE = event({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}) * 15


def waiting(running: Running) -> int:
    """The most that waits in the gateway for one reader: come from the provider, in the flight, on its way to the reader."""

    def see() -> int:
        come = [one._held for one in running.runtime.parts.upstream._pool._all]
        lagging = [flight.pushed - flight._taken for flight in running.runtime.engine.flights.all()]
        unsent = [one._transport.get_write_buffer_size() for one in running.worker.server.connections._open]
        return max(come) + max(lagging) + max(unsent)

    return running.look(see)


def test_slow_readers_hold_little_each_and_harm_nobody(stage: MakeStage, ask_about: Callable[[], str]):
    flood = [send(http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"}))]
    flood += [send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))] * 400
    here = stage([connection(*flood)] * READERS, then=connection(send(last_reply(chat_json("quick")))))
    with contextlib.ExitStack() as opened:
        for _ in range(READERS):
            lazy = opened.enter_context(Wire(here.running.port))
            lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.send(post(question(ask_about(), stream=True)))
        assert eventually(lambda: here.running.flights() == READERS)
        assert eventually(lambda: _is_still(here.running)), "every provider is held back"
        assert 0 < waiting(here.running) <= MOST
        for _ in range(20):
            assert here.ask(ask_about()).status == 200
    assert eventually(lambda: here.running.flights() == 0)
    assert here.running.troubles == []


def _is_still(running: Running) -> bool:
    def pushed() -> int:
        return sum(flight.pushed for flight in running.runtime.engine.flights.all())

    first = running.look(pushed)
    time.sleep(0.2)
    return first > 0 and running.look(pushed) == first
