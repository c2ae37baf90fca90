"""How a reply leaves: whole, or broken as the script says. Turns the parts of a reply into bytes in order and an ending;
sends nothing itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, cycle
from typing import Literal

import msgspec

from pennyworth.sandbox.ask import SERVER_ERROR
from pennyworth.sandbox.chat import Events, Step
from pennyworth.sandbox.faults import Rule

Ending = Literal["end", "hang", "cut", "reset"]
"""After the last byte: the body ends, nothing more comes, or the connection breaks (orderly or by a TCP reset)."""

_SLICE = 65_536


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A reply ready to go. ``length``: what ``content-length`` claims; ``None`` = chunked."""

    steps: Iterable[Step]
    ending: Ending = "end"
    length: int | None = None
    gzip: bool = False
    pause_s: float = 0.0


def of_events(events: Events, rule: Rule | None) -> Delivery:
    """A stream, as a rule would have it. One that the provider breaks does not show its usage, because it is not charged;
    only ``at_byte`` may cut later than that."""
    content = events.content
    match rule.kind if rule else "":
        case "stall":
            return Delivery(steps=_first(content, rule), ending="hang")
        case "cut" | "body_cut":
            return Delivery(steps=_cut(events, rule), ending=_break(rule))
        case "done_without_finish":
            return Delivery(steps=[*content, *events.done])
        case "no_done":
            return Delivery(steps=[*content, *events.finish, *events.usage])
        case "malformed":
            return Delivery(steps=[*_with_one_torn(content, rule), *events.finish, *events.done])
        case "error_event":
            return Delivery(steps=[*_first(content, rule), (events.error, 0)])
        case "endless":
            return Delivery(steps=chain(content[:-1], cycle(content[len(content) // 2 : -1])))
        case _:
            return _sent(events.whole, rule)


def of_json(body: bytes, tokens: int, rule: Rule | None, error: bytes = SERVER_ERROR) -> Delivery:
    """A JSON reply, as a rule would have it. ``error``: what stands there instead, where one is wanted."""
    half = body[: len(body) // 2]
    match rule.kind if rule else "":
        case "stall":
            return Delivery(steps=[(half, tokens)], ending="hang", length=len(body))
        case "cut" | "body_cut" if rule:
            kept = half if rule.at_byte < 0 else body[: min(rule.at_byte, len(body) - 1)]
            return Delivery(steps=[(kept, tokens)], ending=_break(rule), length=len(body))
        case "malformed":
            return Delivery(steps=[(half, tokens)], length=len(half))
        case "error_event":
            return Delivery(steps=[(error, 0)], length=len(error))
        case "endless":
            return Delivery(steps=chain([(body.partition(b" [end:")[0], tokens)], cycle([(b" and on" * 16, 16)])))
        case "gzip" | "drip":
            slices = (body[i : i + _SLICE] for i in range(0, len(body), _SLICE))
            return _sent([(part, 0) for part in slices], rule)
        case _:
            return Delivery(steps=[(body, tokens)], length=len(body))


def _sent(steps: Iterable[Step], rule: Rule | None) -> Delivery:
    match rule.kind if rule else "":
        case "drip" if rule:
            return Delivery(steps=_bytewise(steps), pause_s=rule.pause_s)
        case "gzip":
            return Delivery(steps=_compressed(steps), gzip=True)
        case _:
            return Delivery(steps=steps)


def _break(rule: Rule | None) -> Ending:
    return "reset" if rule and rule.abort else "cut"


def _first(steps: list[Step], rule: Rule | None) -> list[Step]:
    """The events before the fault; at least one of the answer is always missing."""
    return steps[: min(rule.after if rule else 0, len(steps) - 1)]


def _cut(events: Events, rule: Rule | None) -> list[Step]:
    """What goes out before the connection breaks: so many events of the answer, or so many bytes of the whole stream."""
    if rule is None or rule.at_byte < 0:
        return _first(events.content, rule)
    kept: list[Step] = []
    left = rule.at_byte
    for data, tokens in events.whole:
        if len(data) >= left:
            return [*kept, (data[:left], 0)]
        kept.append((data, tokens))
        left -= len(data)
    return kept


def _with_one_torn(steps: list[Step], rule: Rule | None) -> Iterator[Step]:
    torn = len(_first(steps, rule))
    for number, (data, tokens) in enumerate(steps):
        yield (data[: len(data) // 2] + b"\n\n", tokens) if number == torn else (data, tokens)


def _bytewise(steps: Iterable[Step]) -> Iterator[Step]:
    for data, tokens in steps:
        yield from ((data[i : i + 1], 0) for i in range(len(data) - 1))
        yield data[-1:], tokens


def _compressed(steps: Iterable[Step]) -> Iterator[Step]:
    """Compressed though nobody asked, flushed at every event as proxies do that compress streams."""
    packer = zlib.compressobj(wbits=31)
    for data, tokens in steps:
        yield packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH), tokens
    yield packer.flush(), 0
