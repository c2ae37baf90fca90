"""Requests of any dialect as a test sees them, and when two of them ask the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pennyworth.request import Caller, Dialect, Request
from pennyworth.wire.data_url import parts_of_data_url
from pennyworth.wire.json_tree import parse
from pennyworth.wire.messages.adopt import longest_answer
from pennyworth.wire.neutral.meaning import meaning
from pennyworth.wire.neutral.nouns import Prompt
from pennyworth.wire.speakers import SPEAKERS

CALLER = Caller("a")


def request_in(dialect: Dialect, body: Mapping[str, Any] | bytes) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = parse(raw).fields
    stream = fields.get("stream") is True
    return Request(
        dialect=dialect,
        model=fields.get("model", ""),
        body=raw,
        fields=fields,
        caller=CALLER,
        stream=stream,
        wants_usage=True,
    )


def asked(request: Request) -> Prompt:
    """What it asks. One that names no cap asks for the longest answer, which Anthropic wants to be told."""
    prompt = meaning(SPEAKERS[request.dialect].prompt_of(request.fields))
    cap = longest_answer(prompt.model) if prompt.cap is None else prompt.cap
    return msgspec.structs.replace(prompt, cap=cap)


def leaves(value: Any) -> Iterator[str]:
    """Every text in it, those within JSON in a string and within a data URL too; not what kind of thing it is."""
    match value:
        case str():
            try:
                inner = json.loads(value)
            except ValueError:
                inner = None
            if isinstance(inner, dict):
                yield from leaves(inner)
            else:
                yield from parts_of_data_url(value) or (value,)
        case dict():
            for name, inner in value.items():
                if name not in ("type", "role"):
                    yield from leaves(inner)
        case list():
            for inner in value:
                yield from leaves(inner)
