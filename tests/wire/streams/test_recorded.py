"""Every recorded stream, said in the other dialects, means the same to their official SDKs as it did to its own."""

from __future__ import annotations

import random

import pytest

from pennyworth.request import Dialect
from pennyworth.wire.translate import StreamTranslator
from tests.wire.recorded import Row, rows, streams
from tests.wire.streams.meaning import STOPS, Meaning, by_sdk, pieces, plainly

WAYS: list[tuple[Dialect, Dialect]] = [
    ("chat", "messages"), ("chat", "responses"), ("messages", "chat"),
    ("messages", "responses"), ("responses", "chat"), ("responses", "messages"),
]  # fmt: skip
TERMINAL = {"chat": b"data: [DONE]", "messages": b'"message_stop"', "responses": b'"response.completed"'}


def translated(raw: bytes, origin: Dialect, into: Dialect) -> bytes:
    translator = StreamTranslator(origin, into)
    return translator.feed(raw) + translator.finish()


def recorded(origin: Dialect) -> list[Row]:
    """Those that are whole: in the collection are three that never said their end, and one that failed."""
    found = streams(origin) or ([row for row in rows("shipped") if row.streamed] if origin == "chat" else [])
    if not found:
        pytest.skip("the whole collection of recorded traffic is not on this machine")
    return [row for row in found if row.raw and (origin != "chat" or any(one in STOPS for one in row.finishes[:1]))]


def as_said_in(into: Dialect, meaning: Meaning) -> Meaning:
    """Anthropic has no word for a refusal but text, and none for usage that nobody told."""
    if into != "messages":
        return meaning
    return meaning._replace(text=meaning.text + meaning.refusal, refusal="", usage=meaning.usage or (0, 0, 0, 0, 0))


@pytest.mark.parametrize(("origin", "into"), WAYS)
def test_a_recorded_stream_means_the_same_in_another_dialect(origin: Dialect, into: Dialect) -> None:
    for row in recorded(origin):
        found = by_sdk(into, translated(row.raw, origin, into))
        assert found == as_said_in(into, plainly(origin, row.raw)), row.id


@pytest.mark.parametrize(("origin", "into"), WAYS)
def test_a_recorded_stream_means_the_same_when_it_has_come_back(origin: Dialect, into: Dialect) -> None:
    for row in recorded(origin):
        there = translated(row.raw, origin, into)
        back = by_sdk(origin, translated(there, into, origin))
        assert back == as_said_in(into, plainly(origin, row.raw)), row.id


@pytest.mark.parametrize(("origin", "into"), WAYS)
def test_no_cut_of_a_stream_changes_what_comes_out(origin: Dialect, into: Dialect) -> None:
    chance = random.Random(7)
    for row in recorded(origin):
        whole = translated(row.raw, origin, into)
        translator = StreamTranslator(origin, into)
        cuts = [chance.randrange(len(row.raw)) for _ in range(40)]
        said = [translator.feed(piece) for piece in pieces(row.raw, cuts)]
        assert b"".join(said) + translator.finish() == whole, row.id
        assert all(not piece or piece.endswith(b"\n\n") for piece in said), row.id


@pytest.mark.parametrize(("origin", "into"), WAYS)
def test_what_broke_off_before_its_end_has_no_end_in_the_other_dialect(origin: Dialect, into: Dialect) -> None:
    for row in recorded(origin):
        end = row.raw.rfind(b'"type":"message_stop"' if origin == "messages" else TERMINAL[origin])
        if end < 0:
            continue
        assert TERMINAL[into] not in StreamTranslator(origin, into).feed(row.raw[:end]), row.id
        ended = (TERMINAL[into], b'"response.incomplete"')
        assert any(one in StreamTranslator(origin, into).feed(row.raw) for one in ended), row.id
