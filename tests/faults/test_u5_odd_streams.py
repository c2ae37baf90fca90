"""U5: streams that are odd: what is merely unknown passes as it came, what is malformed is never kept, and nothing breaks.

Sockets and framing: ``tests/door/test_provider_faults.py``. A hundred thousand random changes: ``tests/fuzz``.
"""

from __future__ import annotations

import random

import pytest

from pennyworth.testing.chat_bytes import chat_events, event
from pennyworth.testing.scripted import stream
from tests.engine.conftest import MakeHouse
from tests.faults.cuts import told_of_an_error
from tests.fuzz.law import mutated
from tests.fuzz.streams import _BITS, _STREAMS

ROLE, HEL, LO, FINISH, DONE = chat_events(["Hel", "lo"])
LATER = event({"choices": [{"index": 3, "delta": {"content": "four"}, "finish_reason": "stop"}]})

KEPT: list[tuple[str, list[bytes]]] = [
    ("a comment between events", [ROLE, b": ping\n\n", HEL, LO, b": still here\n\n", FINISH, DONE]),
    ("events of a kind of their own", [ROLE, HEL, b"event: mood\ndata: {\"choices\":[]}\n\n", LO, FINISH, DONE]),
    ("events with ids and retry times", [ROLE, b"id: 7\nretry: 10\n" + HEL, LO, FINISH, DONE]),
    ("fields nobody knows", [ROLE, HEL, event({"choices": [], "weather": {"wind": [1, 2]}}), LO, FINISH, DONE]),
    ("no ids at all", [event({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}), DONE]),
    ("lines that end as on Windows", [one.replace(b"\n", b"\r\n") for one in (ROLE, HEL, LO, FINISH, DONE)]),
    ("a very large event", [ROLE, HEL, event({"choices": [], "padding": "x" * 300_000}), LO, FINISH, DONE]),
    ("no [DONE]", [ROLE, HEL, LO, FINISH]),
]  # fmt: skip

NOT_KEPT: list[tuple[str, list[bytes], bool]] = [
    ("[DONE] and no reason", [ROLE, HEL, LO, DONE], True),
    ("a gap among the choices", [ROLE, HEL, LATER, FINISH, DONE], True),
    ("a choice that never ends", [ROLE, HEL, event({"choices": [{"index": 1, "delta": {"content": "x"}}]}), FINISH, DONE], True),
    ("an index below nothing", [ROLE, HEL, event(b'{"choices":[{"index":-1,"delta":{}}]}'), FINISH, DONE], False),
    ("half an event in the middle", [ROLE, HEL, b'data: {"choices":[{"ind\n\n', LO, FINISH, DONE], False),
    ("no JSON", [ROLE, HEL, b"data: <html>\n\n", LO, FINISH, DONE], False),
    ("an error after content", [ROLE, HEL, event({"error": {"message": "overloaded"}}), DONE], False),
    ("an error after the end", [ROLE, HEL, LO, FINISH, event({"error": {"message": "late"}}), DONE], False),
    ("a tail of JSON", [ROLE, HEL, LO, b'{"error":{"message":"late"}}'], True),
    ("data after [DONE]", [ROLE, HEL, LO, FINISH, DONE, HEL], False),
    ("a reason nobody knows", [ROLE, HEL, chat_events([], finish="abort")[1], DONE], False),
    ("nothing", [], True),
]  # fmt: skip


@pytest.mark.parametrize("events", [row[1] for row in KEPT], ids=[row[0] for row in KEPT])
async def test_what_is_merely_unknown_passes_byte_for_byte_and_is_kept(house: MakeHouse, events: list[bytes]):
    h = await house([stream(events)])
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    assert (await h.ask("odd", **asked)).body == b"".join(events)
    again = await h.ask("odd", **asked)
    assert (again.body, "; hit" in again.cache) == (b"".join(events), True)


@pytest.mark.parametrize(("events", "told"), [row[1:] for row in NOT_KEPT], ids=[row[0] for row in NOT_KEPT])
async def test_what_is_malformed_is_not_kept_and_what_is_not_whole_is_told(
    house: MakeHouse, events: list[bytes], told: bool
):
    h = await house([stream(events)])
    heard = await h.ask("odd", stream=True)
    assert told_of_an_error(heard) or not told, heard.body
    assert h.runtime.parts.store.usage().entries == 0
    assert h.troubles == []


async def test_thousands_of_changed_streams_break_nothing(house: MakeHouse):
    chance, h = random.Random(20261128), await house()
    for number in range(1_000):
        h.upstream.play(stream([mutated(chance, chance.choice(_STREAMS), _BITS)]))
        heard = await h.ask(f"changed {number}", stream=True)
        receipt = h.runtime.parts.ledger.receipts(1)[0]
        assert heard.status in (200, 502)
        last = heard.body.rstrip(b"\n").rpartition(b"\n")[2]
        assert receipt.ending != "cut" or heard.status == 502 or last.startswith(b'data: {"error":'), heard.body
    assert h.troubles == []
