"""U4 for Responses: a stream cut at any byte is never given as whole and never kept, and its reader is always told."""

from __future__ import annotations

import json

import pytest

from pennyworth.request import Caller
from pennyworth.testing.scripted import fail, stream
from pennyworth.wire import responses
from tests.engine.conftest import Heard, House, hear, open_house
from tests.faults.cuts import offsets
from tests.wire.recorded import Row
from tests.wire.responses.recorded import record_row, rows

STREAMS = [row for row in rows("shipped") if row.streamed and record_row(row).ending == "complete"]


def last_event_ends(raw: bytes) -> int:
    """So many bytes hold the terminal event, and the blank line that makes it one."""
    return raw.index(b"\n\n", raw.rindex(b'"type":"response.completed"')) + 2


def told_of_an_error(heard: Heard) -> bool:
    if heard.status >= 400:
        return bool(json.loads(heard.body)["error"]["message"])
    *_, last, _ = heard.body.split(b"\n\n")
    return last.startswith(b"event: error\ndata: {") and b"response.completed" not in heard.body


async def ask(house: House, row: Row, at: int, *, hard: bool) -> tuple[Heard, str]:
    part = row.raw[:at]
    house.upstream.play(stream([part, fail("reset")] if hard else [part]))
    body = {"model": "gpt-4o-mini", "input": f"cut {at}", "stream": True}
    request = responses.read_request(json.dumps(body).encode(), {}, Caller("local"))
    heard = await hear(await house.engine.handle(request))
    return heard, house.runtime.parts.ledger.receipts(1)[0].ending


@pytest.mark.parametrize("row", STREAMS, ids=lambda row: row.id)
async def test_a_part_of_a_stream_never_passes_for_the_whole(row: Row) -> None:
    end, wholes, house = last_event_ends(row.raw), 0, open_house()
    try:
        for number, at in enumerate(offsets(row, 0, 40)):
            heard, ending = await ask(house, row, at, hard=number % 2 == 0)
            wholes += at >= end
            assert house.runtime.parts.store.usage().entries <= wholes, at
            if at < end:
                assert told_of_an_error(heard), at
                assert ending in ("cut", "error"), at
            else:
                assert heard.body[:end] == row.raw[:end], at
        assert wholes
    finally:
        await house.runtime.close()
