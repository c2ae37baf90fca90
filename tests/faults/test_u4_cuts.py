"""U4: a reply cut at any byte is never given as whole and never kept, and its reader is always told.

Every offset of short recorded streams, and of long ones those around each event's end and a sample; ``make soak`` tries
every offset of every recorded stream there is. Behind the scripted provider first, then over real sockets.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from pennyworth.testing.chaos import Cut as LineCut
from pennyworth.testing.chaos import Reset
from pennyworth.testing.scripted import chat_events, chat_json, error_json, event, fail, reply, stream
from pennyworth.testing.scripted_server import connection, send
from tests.door.running import Running, eventually
from tests.door.scripted_provider import last_reply, last_stream
from tests.engine.conftest import MakeHouse
from tests.faults.conftest import MakeStage
from tests.faults.cuts import Cut, may_pass, offsets, tried
from tests.wire.recorded import Row, rows

SHORT = 1_000
SAMPLE = 100
STREAMS = [row for row in rows("shipped") if row.streamed and row.status == 200 and row.raw]
BODIES = sorted(
    (row for row in rows("shipped") if not row.streamed and row.status == 200), key=lambda row: len(row.raw)
)
EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))


@pytest.mark.parametrize("row", STREAMS, ids=[row.id for row in STREAMS])
async def test_a_recorded_stream_cut_at_any_byte_is_never_taken_for_whole(row: Row):
    cuts = [Cut(at, hard) for at in offsets(row, SHORT, SAMPLE) for hard in (True, False)]
    ends = await tried(row, cuts)
    assert sum(ends.values()) == len(cuts)
    assert ends["an error event"] + ends["an HTTP error"] > len(cuts) * 0.9, "so does the whole one pass"
    assert ends["an error event"] > len(cuts) / 3


def test_the_yardstick_lets_the_whole_pass_and_nothing_much_else():
    for row in STREAMS:
        if len(row.raw) > 3_000:
            continue
        passing = [at for at in range(len(row.raw) + 1) if may_pass(row, Cut(at, hard=True))]
        assert len(passing) <= 2, row.id
        assert not passing or passing[-1] == len(row.raw)
    assert sum(may_pass(row, Cut(len(row.raw), hard=False)) for row in STREAMS) > len(STREAMS) / 2


async def test_recorded_json_cut_at_any_byte_is_an_error_or_kept_by_nobody(house: MakeHouse):
    """A connection that breaks is an error; half a body that ends in order is passed on, as a direct caller would get it."""
    for number, row in enumerate(BODIES[:6]):
        here = await house()
        for at in range(len(row.raw)):
            part = row.raw[:at]
            here.upstream.play(stream([part, fail("reset")], headers={"content-type": "application/json"}))
            broken = await here.ask(f"{number} {at}")
            assert broken.status == 502
            assert json.loads(broken.body)["error"]["message"]
            here.upstream.play(reply(200, body=part))
            ended = await here.ask(f"{number} {at} again")
            assert ended.body in (part, b"") or ended.status == 502
            assert here.last().ending in ("cut", "error")
        assert here.runtime.parts.store.usage().entries == 0


async def test_after_a_cut_before_any_content_the_next_one_is_asked_anew(house: MakeHouse):
    here = await house([stream([*EVENTS[:1], fail("reset")])], then=stream(EVENTS))
    first = await here.ask("hello?", stream=True)
    assert first.status in (200, 502)
    assert (await here.ask("hello?", stream=True)).text == "Hello"


SOCKET_STREAM = last_stream(EVENTS)
SOCKET_BODY = last_reply(chat_json("hello there"))


@pytest.mark.parametrize("by", [LineCut, Reset])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_same_over_real_sockets_whatever_byte_of_the_connection_is_the_last(
    stage: MakeStage, ask_about: Callable[[], str], by: type[LineCut | Reset], streamed: bool
):
    """The head included, and the framing of chunks: only the last chunk's end makes it whole."""
    raw = SOCKET_STREAM if streamed else SOCKET_BODY
    here = stage(then=connection(send(raw)))
    done = raw.index(b"[DONE]\n\n") + 8 if streamed else len(raw)
    for at in sorted(random.Random(4).sample(range(len(raw)), 60)):
        here.line.play(then=(by(at=at),))
        text = ask_about()
        told = here.ask(text, stream=streamed)
        if at < done:
            assert told.status in (502, 504) or (streamed and b'"error"' in told.body and b"[DONE]" not in told.body), (
                at
            )
            here.line.play()
            again = here.ask(text, stream=streamed)
            assert "fwd=miss" in again.headers["cache-status"]
    assert left_nothing(here.running)


def left_nothing(running: Running) -> bool:
    return eventually(lambda: running.flights() == 0) and running.troubles == [] and running.logged.lines == []


def test_an_error_cut_short_by_the_providers_end_is_told_all_the_same(stage: MakeStage, ask_about: Callable[[], str]):
    rest = event(error_json("overloaded"))[:-1]
    here = stage(then=connection(send(last_stream([*EVENTS[:2], rest]))))
    told = here.ask(ask_about(), stream=True)
    assert told.body.endswith(b"}\n\n")
    assert json.loads(told.body.rstrip().rpartition(b"data: ")[2])["error"]["code"] == "upstream_broken"
