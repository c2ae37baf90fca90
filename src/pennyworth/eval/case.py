"""One row as the shipped code sees it: the request read, the reply recorded. Everything an eval asks is asked of this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pennyworth.errors import RequestError
from pennyworth.eval import plain
from pennyworth.eval.rows import Row
from pennyworth.outcome import Outcome
from pennyworth.request import Caller, Request
from pennyworth.wire.codec import Codec
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.sse import EventSplitter

_CALLER = Caller("eval")


class Case(NamedTuple):
    """``request``: ``None`` where it was refused, ``refused`` says why. ``asked``, ``said``: both bodies by Python's own
    ``json``, for oracles; ``said`` is the events of a stream."""

    row: Row
    codec: Codec
    request: Request | None
    refused: str
    outcome: Outcome
    asked: dict[str, Any]
    said: list[dict[str, Any]]


def case_of(row: Row) -> Case:
    codec = CODECS[row.dialect]
    request, refused = _request(row, codec)
    outcome = recorded(row, codec, request)
    return Case(
        row,
        codec,
        request,
        refused,
        outcome,
        plain.json_object(row.asked),
        plain.said_in(row.reply, streamed=row.streamed),
    )


def recorded(
    row: Row,
    codec: Codec,
    request: Request | None,
    cuts: Iterable[int] = (),
    *,
    upto: int | None = None,
    ended: bool = True,
) -> Outcome:
    """The reply as the engine records it. ``cuts``: where it came in pieces. ``upto``: it broke off there."""
    recorder, raw = codec.recorder(), row.reply[:upto]
    if row.streamed:
        splitter, start = EventSplitter(), 0
        for cut in [*sorted(cuts), len(raw)]:
            recorder.feed_all(splitter.feed(raw[start:cut]))
            start = max(start, cut)
        if ended and splitter.rest:
            recorder.feed_rest(splitter.rest)
    elif row.status < 400:
        recorder.feed_json(raw)
    expected = request.n if request else 1
    return recorder.outcome(status=row.status, raw=raw, streamed=row.streamed, ended=ended, expected=expected)


def _request(row: Row, codec: Codec) -> tuple[Request | None, str]:
    try:
        return codec.read_request(row.asked, row.headers, _CALLER), ""
    except RequestError as error:
        return None, str(error)
