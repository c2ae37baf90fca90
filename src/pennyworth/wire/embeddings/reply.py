"""A reply taken apart and put together again: each vector's own JSON, its numbers as they were written.

A vector that is kept by itself stands in a whole reply of one (``alone``), so that it is an answer like any other. That
has a fixed beginning and a fixed end, and is read without a parser: a batch of thousands is put together in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

_HEAD = b'{"object":"list","data":['
_INDEX = b'{"index":%d,%b'
_ALONE = _HEAD + b'{"index":0,'
_MODEL = b'],"model":'
_USAGE = b',"usage":{"prompt_tokens":'
_TAIL = b'%b%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}'

_JSON = msgspec.json.encode


class _Reply(msgspec.Struct, gc=False):
    data: list[dict[str, msgspec.Raw]]
    model: str | None = None


class _Says(msgspec.Struct, gc=False):
    model: str | None = None


_SAYS = msgspec.json.Decoder(_Says).decode
_READ = msgspec.json.Decoder(_Reply).decode
_NUMBER = msgspec.json.Decoder(int).decode
_NAME = msgspec.json.Decoder(str).decode


class Part(NamedTuple):
    """One vector. ``members``: all that its object holds after its index, as the provider wrote it."""

    members: bytes
    model: str


def parts(raw: bytes) -> Iterator[Part]:
    """The vectors of a provider's reply, by their index; one by one, since there may be thousands.

    Raises:
        ValueError: it is no such reply. One that was recorded as complete always is.
    """
    reply = _READ(raw)
    found = sorted([(_NUMBER(item.pop("index")), item) for item in reply.data], key=lambda pair: pair[0])
    return (Part(_members(item), reply.model or "") for _, item in found)


def alone(part: Part, tokens: int, raw: bytes = b"") -> bytes:
    """The reply that a request for this one item would have had. ``raw``: where there was one, which is that reply."""
    return raw if raw and not raw.startswith(_ALONE) else composed([part], part.model, tokens)


def part_of(kept: bytes) -> Part:
    """The vector of what ``alone`` has made, in which the last ``],"model":`` is its own: a string holds no bare quote."""
    if not kept.startswith(_ALONE):
        return next(parts(kept))
    end = kept.rindex(_MODEL)
    return Part(kept[len(_ALONE) : end], model_of(kept))


def model_of(kept: bytes) -> str:
    """The model that made it, by its own word."""
    if not kept.startswith(_ALONE):
        return _SAYS(kept).model or ""
    return _NAME(kept[kept.rindex(_MODEL) + len(_MODEL) : kept.rindex(_USAGE)])


def composed(given: Iterable[Part], model: str, tokens: int) -> bytes:
    """One reply of these vectors, in this order. ``tokens``: what they took to make, all together."""
    return whole([listed(given, 0)], model, tokens)


def listed(given: Iterable[Part], start: int) -> bytes:
    """These vectors as they stand in a list, numbered from ``start``."""
    return b",".join([_INDEX % (place, part.members) for place, part in enumerate(given, start)])


def whole(lists: Sequence[bytes], model: str, tokens: int) -> bytes:
    """The reply whose list is in these pieces."""
    return b"".join([_HEAD, b",".join(lists), _TAIL % (_MODEL, _JSON(model), tokens, tokens)])


def _members(item: dict[str, msgspec.Raw]) -> bytes:
    return b"%b}" % b",".join([b"%b:%b" % (_JSON(name), value) for name, value in item.items()])
