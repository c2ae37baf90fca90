"""Applies ``Edit``s to a body by splicing: every byte that is not edited reaches the provider as it came.

The bodies have been read before (``json_tree``), so they are JSON objects; they may hold what only loose readers take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from pennyworth import canonical
from pennyworth.request import Edit, Request

_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_SCAN = json.JSONDecoder().raw_decode
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL).match
_NOT_SPACE = re.compile(rb"[^ \t\r\n]").search
_SPACES = b" \t\r\n"
_AFTER_VALUE = b",} \t\r\n"


class Member(NamedTuple):
    """One member of an object: where its key begins, where its value begins, where that ends."""

    name: str
    key: int
    start: int
    end: int


def apply(body: bytes, edits: tuple[Edit, ...], present: tuple[str, ...]) -> bytes:
    """The body with each edit's top-level field set, or taken out. ``present``: the edited fields it already has."""
    for edit in edits:
        if not edit.value:
            body = remove(body, edit.field)
        elif edit.field in present:
            body = _replace(body, edit.field, edit.value)
        else:
            body = _append(body, edit.field, edit.value)
    return body


def renamed(request: Request, model: str) -> Request:
    """The same request to another model: what a caller would have sent who asks for it by name."""
    name = Edit("model", canonical.encode(model), "another model is asked")
    body = apply(request.body, (name,), ("model",))
    return msgspec.structs.replace(request, model=model, body=body, fields={**request.fields, "model": model})


def with_field(body: bytes, field: str, value: bytes) -> bytes:
    """An object with one field set, there already or not."""
    there = any(member.name == field for member in members(body))
    return _replace(body, field, value) if there else _append(body, field, value)


def value_of(body: bytes, field: str) -> bytes:
    """The bytes of a field's value; the last one if it stands twice, ``b""`` if it is not there."""
    return next((body[found.start : found.end] for found in reversed(list(members(body))) if found.name == field), b"")


def remove(body: bytes, field: str) -> bytes:
    """The object without a field."""
    found = list(members(body))
    for i in reversed(range(len(found))):
        if found[i].name == field:
            if i + 1 < len(found):
                cut = (found[i].key, found[i + 1].key)
            else:
                cut = (found[i - 1].end if i else found[i].key, found[i].end)
            body = body[: cut[0]] + body[cut[1] :]
            del found[i]
    return body


def members(body: bytes) -> Iterator[Member]:
    """The members of an object, in order."""
    try:
        raw = _RAW_MEMBERS(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raw = {}  # NaN, half a surrogate pair: each value is scanned for its end instead
    at = _skip(body, body.index(b"{") + 1)
    while key := _STRING(body, at):
        name = json.loads(key.group()) if b"\\" in key.group() else key.group()[1:-1].decode()
        start = _skip(body, _skip(body, key.end()) + 1)  # over the colon
        end = _end(body, start, raw.get(name))
        yield Member(name, at, start, end)
        at = _skip(body, end)
        if body[at : at + 1] != b",":
            return
        at = _skip(body, at + 1)


def _end(body: bytes, start: int, raw: msgspec.Raw | None) -> int:
    if raw is not None and body.startswith(bytes(raw), start):  # it is another one's value, if the key stands twice
        end = start + len(raw)
        if body[end : end + 1] in _AFTER_VALUE:
            return end
    text = body[start:].decode()
    return start + len(text[: _SCAN(text)[1]].encode())


def _append(body: bytes, field: str, value: bytes) -> bytes:
    end = body.rindex(b"}")
    comma = b"" if body[:end].rstrip(_SPACES).endswith(b"{") else b","
    return b"".join((body[:end], comma, json.dumps(field).encode(), b":", value, body[end:]))


def _replace(body: bytes, field: str, value: bytes) -> bytes:
    for found in reversed([member for member in members(body) if member.name == field]):
        body = b"".join((body[: found.start], value, body[found.end :]))
    return body


def _skip(body: bytes, at: int) -> int:
    found = _NOT_SPACE(body, at)
    return found.start() if found else len(body)
