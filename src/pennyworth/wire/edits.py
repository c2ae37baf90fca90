"""Applies ``Edit``s to a body by splicing: every byte that is not edited reaches the provider as it came."""

from __future__ import annotations

import json
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]  # public in CPython's json.decoder

from pennyworth.request import Edit

_SCAN = json.JSONDecoder().raw_decode


def apply(body: bytes, edits: tuple[Edit, ...], present: tuple[str, ...]) -> bytes:
    """The body with each edit's top-level field set. ``present``: the edited fields that the body already has."""
    for edit in edits:
        body = _replace(body, edit) if edit.field in present else _append(body, edit)
    return body


def _append(body: bytes, edit: Edit) -> bytes:
    end = body.rindex(b"}")
    head = body[:end].rstrip()
    comma = b"" if head.endswith(b"{") else b","
    return head + comma + json.dumps(edit.field).encode() + b":" + edit.value + body[end:]


def _replace(body: bytes, edit: Edit) -> bytes:
    text = body.decode()
    start, end = _span(text, edit.field)
    return (text[:start]).encode() + edit.value + text[end:].encode()


def _span(text: str, field: str) -> tuple[int, int]:
    """Where the value of a top-level field stands. The text has been parsed before, so it is a JSON object."""
    at = _skip(text, text.index("{") + 1)
    while text[at] == '"':
        name, at = scanstring(text, at + 1)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        start = at
        _, at = _SCAN(text, at)
        if name == field:
            return start, at
        at = _skip(text, at)
        if text[at] != ",":
            break
        at = _skip(text, at + 1)
    raise KeyError(field)


def _skip(text: str, at: int) -> int:
    match = WHITESPACE.match(text, at)
    return int(match.end()) if match else at
