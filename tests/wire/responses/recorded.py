"""Recorded traffic with ``/responses`` endpoints, and the ways the engine feeds it to the dialect."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

import pytest

from pennyworth.outcome import Outcome
from pennyworth.wire import responses
from pennyworth.wire.sse import EventSplitter
from tests.wire.recorded import SHIPPED, WHOLE, Row

SAMPLE = SHIPPED.with_name("responses.jsonl")


def rows(which: str) -> list[Row]:
    """``shipped``: the sample in this repository. ``whole``: the collection it is taken from, where there is one."""
    if which == "shipped":
        lines: Iterable[str] = SAMPLE.read_text("utf-8").splitlines()
    elif WHOLE.exists():
        lines = gzip.decompress(WHOLE.read_bytes()).decode().splitlines()
    else:
        pytest.skip(f"the whole collection of recorded traffic is not on this machine ({WHOLE})")
    found = [json.loads(line) for line in lines]
    return [_row(one) for one in found if one["url"].endswith("/responses")]


def record(raw: bytes, *, cuts: Iterable[int] = (), status: int = 200, ended: bool = True) -> Outcome:
    """A stream recorded as the engine does it, arriving in pieces."""
    splitter, recorder, start = EventSplitter(), responses.recorder(), 0
    for cut in [*sorted(cuts), len(raw)]:
        recorder.feed_all(splitter.feed(raw[start:cut]))
        start = cut
    if ended and splitter.rest:
        recorder.feed_rest(splitter.rest)
    return recorder.outcome(status=status, raw=raw, streamed=True, ended=ended, expected=1)


def record_json(raw: bytes, *, status: int = 200, ended: bool = True) -> Outcome:
    recorder = responses.recorder()
    if status == 200:
        recorder.feed_json(raw)
    return recorder.outcome(status=status, raw=raw, streamed=False, ended=ended, expected=1)


def record_row(row: Row, cuts: Iterable[int] = ()) -> Outcome:
    if row.streamed:
        return record(row.raw, cuts=cuts, status=row.status)
    return record_json(row.raw, status=row.status)


def last_response(row: Row) -> dict[str, Any]:
    """The response as it stood at the end, by the plainest reading."""
    if isinstance(row.reply, dict):
        return row.reply
    found: dict[str, Any] = row.chunks[-1]["response"]
    return found


def _row(one: dict[str, Any]) -> Row:
    reply = one["response_body"]
    raw = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
    return Row(one["id"], one["provider"], one["status"], one["request_body"], reply, raw)
