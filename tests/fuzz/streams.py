"""Trials of what reads a provider's reply: events cut anywhere, recorded streams with a few bytes changed, bodies likewise.

Whatever comes, nothing is raised, any cut gives the same, and what is called complete is so by the plainest reading too.
"""

from __future__ import annotations

import json
import random

from pennyworth.outcome import Outcome
from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json
from pennyworth.wire.chat import replay
from pennyworth.wire.chat.recorder import ChatRecorder
from pennyworth.wire.sse import EventSplitter
from tests.faults.cuts import whole
from tests.fuzz.law import BrokenLawError, Case, Trial, cut, mutated
from tests.wire.recorded import rows

_LINES = (b"data: x", b"data:", b"data: {}", b": ping", b"event: error", b"id: 1", b"", b"", b"\xff", b"data: [DONE]")
_ENDS = (b"\n", b"\n", b"\n", b"\r\n", b"\r")
_RECORDED = [row.raw for row in rows("shipped") if row.status == 200]
_STREAMS = [
    b"".join(chat_events(["Hel", "lo"], usage=(9, 2))),
    b"".join(chat_events(["a", "b"], finish="length")),
    *[raw for raw in _RECORDED if raw.startswith(b"data") and len(raw) < 5_000],
]
_BODIES = [chat_json("hello"), *[raw for raw in _RECORDED if raw.startswith(b"{") and len(raw) < 3_000]]
_BITS = (
    b"\n\n", b"\n", b"\r\n\r\n", b"\r", b"data: ", b"data:", b"data: [DONE]\n\n", b"event: error\n", b": ping\n\n", b"id: 7\n",
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"-1", b"9" * 30, b"1e999", b"NaN", b"\\ud800", b"\xc3", b"\xef\xbb\xbf",
    b'"finish_reason":"stop"', b'"finish_reason":null', b'"finish_reason":"length"', b'"index":7', b'"index":-1', b'"choices":[]',
    b'data: {"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}\n\n', b'data: {"error":{"message":"x"}}\n\n', b'"usage":{}',
    b'"content":[{"type":"text","text":"x"}]', b'"tool_calls":[{"index":0,"function":{"name":"f"}}]', b"[" * 300, b'{"error":{}}',
)  # fmt: skip


def _lines(chance: random.Random) -> Case:
    raw = b"".join(chance.choice(_LINES) + chance.choice(_ENDS) for _ in range(chance.randrange(30)))
    return cut(chance, raw + chance.choice(_LINES))


def _split(case: Case) -> str:
    """Any cut of a stream gives the same events, and no byte is lost."""
    raw = b"".join(case)
    found, rest = _events((raw,))
    if b"".join(found) + rest != raw:
        raise BrokenLawError("bytes were lost", raw)
    if _events(case) != (found, rest):
        raise BrokenLawError("another cut gave other events", *case)
    return "no event" if not found else "one event" if len(found) == 1 else "several events"


def _events(pieces: Case) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    return [event for piece in pieces for event in splitter.feed(piece)], splitter.rest


def _stream(chance: random.Random) -> Case:
    return cut(chance, mutated(chance, chance.choice(_STREAMS), _BITS))


def _recorded(case: Case) -> str:
    """As the engine records it. What may be kept is complete by another reading, and can be given in both forms."""
    raw = b"".join(case)
    outcome = _record(case)
    if _record((raw,)) != outcome:
        raise BrokenLawError("another cut was recorded otherwise", *case)
    if outcome.ending in ("complete", "tools") and not outcome.fault:
        _hold_whole(raw)
        _hold_replays(raw, outcome)
    return outcome.ending


def _record(pieces: Case) -> Outcome:
    splitter, recorder = EventSplitter(), ChatRecorder()
    for piece in pieces:
        recorder.feed_all(splitter.feed(piece))
    if splitter.rest:
        recorder.feed_rest(splitter.rest)
    return recorder.outcome(status=200, raw=b"".join(pieces), streamed=True, ended=True, expected=1)


def _hold_whole(raw: bytes) -> None:
    rest = EventSplitter()
    tail = b"".join(_events((raw,))[0]) if not rest.feed(raw) else raw
    try:
        ended, _ = whole(tail + DONE, {0})
    except ValueError as error:
        raise BrokenLawError(f"complete, with an event that is no JSON ({error})", raw) from None
    if not ended:
        raise BrokenLawError("complete, and yet its choice has no end", raw)


def _hold_replays(raw: bytes, outcome: Outcome) -> None:
    body = json.loads(replay.as_json(raw, streamed=True))
    if not body["choices"]:
        raise BrokenLawError("complete, and nothing to give again", raw)
    again = replay.as_events(raw, streamed=True, usage=False)
    other = _record((again,))
    if other.finishes != outcome.finishes:
        raise BrokenLawError("given again it ends otherwise", raw, again)


def _whole_body(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_BODIES), _BITS),)


def _recorded_body(case: Case) -> str:
    """A whole JSON reply: read, or at fault; and what may be kept can be given as events that say the same."""
    (raw,) = case
    recorder = ChatRecorder()
    recorder.feed_json(raw)
    outcome = recorder.outcome(status=200, raw=raw, streamed=False, ended=True, expected=1)
    if outcome.ending in ("complete", "tools") and not outcome.fault:
        said = json.loads(raw)
        events = _record((replay.as_events(raw, streamed=False, usage=True),))
        if events.finishes != outcome.finishes or len(said["choices"]) < 1:
            raise BrokenLawError("as events it ends otherwise", raw)
    return outcome.ending


SPLITTER = Trial(_lines, _split)
RECORDER = Trial(_stream, _recorded)
REPLY_BODY = Trial(_whole_body, _recorded_body)
