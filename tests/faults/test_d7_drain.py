"""D7: a gateway that is told to stop with five hundred streams open: each ends whole, or at the deadline in an error event;
it is gone a second later, nothing half is kept, and every one is in the books."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

from pennyworth.testing.chat_bytes import chat_events
from pennyworth.testing.scripted_server import await_close, connection, http_head, send, until
from tests.door.raw import post, question
from tests.door.scripted_provider import ScriptedProvider
from tests.faults.serving import Serving

STREAMS = 500
DRAIN_S = 2.0
EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))
HEAD = http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"})
BEGUN = HEAD + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in EVENTS[:2])
REST = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in EVENTS[2:]) + b"0\r\n\r\n"


class Crowd:
    """Callers who read to the end. ``stop`` is called once every stream has begun."""

    def __init__(self, port: int) -> None:
        self.bodies: list[bytes] = []
        self._port = port
        self._begun = 0
        self._all = asyncio.Event()

    async def one(self, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(post(question(f"stream {number}", stream=True), "Connection: close"))
        got = await reader.readuntil(b"Hel")
        self._begun += 1
        if self._begun == STREAMS:
            self._all.set()
        got += await reader.read()
        writer.close()
        return got

    async def all(self, stop: object) -> None:
        asked = [asyncio.ensure_future(self.one(number)) for number in range(STREAMS)]
        async with asyncio.timeout(60):
            await self._all.wait()
        stop()  # type: ignore[operator]
        self.bodies = await asyncio.gather(*asked)


def test_five_hundred_streams_at_a_stop_end_whole_or_in_an_error_event_and_are_booked(tmp_path: Path):
    go_on = asyncio.Event()
    short, endless = connection(send(BEGUN), until(go_on), send(REST)), connection(send(BEGUN), await_close())
    with (
        ScriptedProvider([short, endless] * (STREAMS // 2)) as provider,
        Serving(tmp_path, provider.base_url, drain=f"{DRAIN_S}s") as serving,
    ):
        asked_at = 0.0

        def stop() -> None:
            nonlocal asked_at
            asked_at = time.monotonic()
            serving.process.send_signal(signal.SIGTERM)
            provider.release(go_on)

        crowd = Crowd(serving.port)
        asyncio.run(crowd.all(stop))
        serving.wait()
        took = time.monotonic() - asked_at
    whole = [body for body in crowd.bodies if b"data: [DONE]\n\n" in body]
    told = [body for body in crowd.bodies if b"[DONE]" not in body]
    assert (len(whole), len(told)) == (STREAMS // 2, STREAMS // 2)
    assert all(f"shutting down (limits.drain = {DRAIN_S:g} s)".encode() in body[-400:] for body in told)
    receipts = serving.receipts()
    assert Counter(receipt.ending for receipt in receipts) == {"complete": STREAMS // 2, "cut": STREAMS // 2}
    assert all(receipt.spent for receipt in receipts)
    assert serving.answers() == STREAMS // 2, "nothing half is kept"
    assert serving.process.returncode == 0
    print(f"gone {took - DRAIN_S:.2f} s after the deadline")
    assert took < DRAIN_S + 10, "a second where nothing else runs on the machine"
