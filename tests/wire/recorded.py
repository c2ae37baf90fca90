"""Recorded traffic between SDKs and providers, and the ways the engine feeds it to the wire modules."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pennyworth.outcome import Outcome
from pennyworth.request import Dialect
from pennyworth.wire.chat.recorder import ChatRecorder
from pennyworth.wire.sse import EventSplitter

SHIPPED = Path(__file__).parents[1] / "data" / "cassettes" / "chat.jsonl"
WHOLE = Path(__file__).parents[3] / "shared" / "data" / "http_cassettes" / "pairs.jsonl.gz"


class Row(NamedTuple):
    """One interaction. ``raw``: the reply's bytes."""

    id: str
    provider: str
    status: int
    request: dict[str, Any] | None
    reply: dict[str, Any] | str
    raw: bytes

    @property
    def streamed(self) -> bool:
        return isinstance(self.reply, str)

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The reply's JSON, read by the plainest means: a body, or every chunk of a stream."""
        if isinstance(self.reply, dict):
            return [self.reply]
        lines = [line[5:].strip() for line in self.reply.splitlines() if line.startswith("data:")]
        return [json.loads(line) for line in lines if line != "[DONE]"]

    @property
    def finishes(self) -> list[str | None]:
        """The last terminal reason of each choice, in order of index."""
        found: dict[int, str | None] = {}
        for chunk in self.chunks:
            for choice in chunk.get("choices") or ():
                found[choice.get("index", 0)] = choice.get("finish_reason") or found.get(choice.get("index", 0))
        return [found[index] for index in sorted(found)]


def rows(which: str) -> list[Row]:
    """``shipped``: the sample in this repository. ``whole``: the collection it is taken from, where there is one."""
    if which == "shipped":
        lines: Iterable[str] = SHIPPED.read_text("utf-8").splitlines()
    elif WHOLE.exists():
        lines = gzip.decompress(WHOLE.read_bytes()).decode().splitlines()
    else:
        pytest.skip(f"the whole collection of recorded traffic is not on this machine ({WHOLE})")
    found = [json.loads(line) for line in lines]
    return [_row(one) for one in found if "chat/completions" in one["url"]]


def foreign_streams() -> list[Row]:
    """Streams of other dialects than chat completions, from the whole collection; none where it is not."""
    if not WHOLE.exists():
        return []
    found = [json.loads(line) for line in gzip.decompress(WHOLE.read_bytes()).decode().splitlines()]
    foreign = [one for one in found if "chat/completions" not in one["url"] and isinstance(one["response_body"], str)]
    return [_row(one) for one in foreign if "data:" in one["response_body"]]


def streams(dialect: Dialect) -> list[Row]:
    """Streams of a dialect that can be translated, from the whole collection; none where it is not."""
    if not WHOLE.exists():
        return []
    found = [json.loads(line) for line in gzip.decompress(WHOLE.read_bytes()).decode().splitlines()]
    return [_row(one) for one in found if isinstance(one["response_body"], str) and _speaks(one["url"], dialect)]


def _speaks(url: str, dialect: Dialect) -> bool:
    path = url.partition("?")[0]
    match dialect:
        case "chat":
            return path.endswith("/chat/completions")
        case "messages":
            return path.endswith("/v1/messages")
        case "responses":
            return "/responses" in path
    return False


def record(raw: bytes, *, cuts: Iterable[int] = (), status: int = 200, n: int = 1, ended: bool = True) -> Outcome:
    """A stream recorded as the engine does it, arriving in pieces."""
    splitter, recorder, start = EventSplitter(), ChatRecorder(), 0
    for cut in [*sorted(cuts), len(raw)]:
        for event in splitter.feed(raw[start:cut]):
            recorder.feed(event)
        start = cut
    if ended and splitter.rest:
        recorder.feed_rest(splitter.rest)
    return recorder.outcome(status=status, raw=raw, streamed=True, ended=ended, expected=n)


def record_json(raw: bytes, *, status: int = 200, n: int = 1, ended: bool = True) -> Outcome:
    recorder = ChatRecorder()
    if status == 200:
        recorder.feed_json(raw)
    return recorder.outcome(status=status, raw=raw, streamed=False, ended=ended, expected=n)


def record_row(row: Row, cuts: Iterable[int] = ()) -> Outcome:
    n = (row.request or {}).get("n") or 1
    if row.streamed:
        return record(row.raw, cuts=cuts, status=row.status, n=n)
    return record_json(row.raw, status=row.status, n=n)


def _row(one: dict[str, Any]) -> Row:
    reply = one["response_body"]
    raw = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
    return Row(one["id"], one["provider"], one["status"], one["request_body"], reply, raw)
