"""Puts a recorded stream together as the response it amounts to.

Its terminal event holds the whole response, and that is given byte for byte. Where the items are missing in it, they are
those that were said to be done; where it is missing itself, the response is as far as it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pennyworth.wire import loose
from pennyworth.wire.chat.assembly import events
from pennyworth.wire.responses.body import NO_RAW, TERMINAL
from pennyworth.wire.sse import data_of


class _Last(msgspec.Struct, gc=False):
    type: str = ""
    response: msgspec.Raw = NO_RAW


class _Output(msgspec.Struct, gc=False):
    output: list[msgspec.Raw] | None = None


_LAST = msgspec.json.Decoder(_Last).decode
_OUTPUT = msgspec.json.Decoder(_Output).decode


def assemble(raw: bytes) -> bytes:
    """The response as a JSON body."""
    found = events(raw)
    return next(filter(None, map(_whole, reversed(found))), b"") or loose.write(_pieced(found))


def _whole(event: bytes) -> bytes:
    """The response of a terminal event, if it is all there."""
    try:
        last = _LAST(data_of(event))
        if last.type in TERMINAL and last.response and _OUTPUT(last.response).output:
            return bytes(last.response)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return b""


def _pieced(found: list[bytes]) -> dict[str, Any]:
    body: dict[str, Any] = {"object": "response", "status": "incomplete", "output": []}
    items: dict[int, Any] = {}
    for event in _read(found):
        response, item, place = event.get("response"), event.get("item"), event.get("output_index")
        if isinstance(response, dict):
            body = response
        elif event.get("type") == "error":
            body = {**body, "status": "failed", "error": event.get("error") or event}
        elif isinstance(item, dict) and isinstance(place, int) and event.get("type") == "response.output_item.done":
            items[place] = item
    return body if body.get("output") else {**body, "output": [items[place] for place in sorted(items)]}


def _read(found: list[bytes]) -> Iterator[dict[str, Any]]:
    for one in found:
        try:
            event = loose.read(data_of(one))
        except loose.UNREADABLE:
            continue
        if isinstance(event, dict):
            yield event
