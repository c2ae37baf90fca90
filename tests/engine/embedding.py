"""A provider of vectors for the engine's tests: each vector says what it was made of, so that a wrong one shows."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

from pennyworth.ports import Call
from pennyworth.testing.scripted import Entry, Fail, Reply, reply

MODEL = "text-embedding-3-small"
PICO = 20_000
"""What one token of it costs: $0.02 a million."""


def vector(item: Any, model: str = MODEL, dimensions: int = 4, encoding: str = "float", salt: str = "") -> Any:
    """The only right vector of this item."""
    seed = json.dumps([item, model, dimensions, salt], ensure_ascii=False).encode()
    numbers = [byte / 256 for byte in hashlib.shake_128(seed).digest(dimensions)]
    return base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode() if encoding == "base64" else numbers


def vectors_of(body: dict[str, Any], salt: str = "") -> list[Any]:
    """What this body has to be answered with."""
    return [
        vector(item, body["model"], body.get("dimensions", 4), body.get("encoding_format", "float"), salt)
        for item in items_of(body)
    ]


def items_of(body: dict[str, Any]) -> list[Any]:
    given = body["input"]
    return [given] if isinstance(given, str) or isinstance(given[0], int) else given


def tokens_of(item: Any) -> int:
    """As this provider counts."""
    return 1 + len(item)


def answer(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Its whole reply. ``more``: other top-level fields."""
    tokens = sum(map(tokens_of, items_of(body)))
    data = [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(vectors_of(body))]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage, **more}


def provider(then: Callable[[dict[str, Any]], Reply | Fail] | None = None) -> Entry:
    """Answers any request rightly, unless ``then`` says otherwise."""

    def answered(call: Call) -> Reply | Fail:
        body = json.loads(call.body)
        return then(body) if then else reply(json=answer(body))

    return answered


def asked(call: Call) -> list[Any]:
    """The items that a call has asked for."""
    return items_of(json.loads(call.body))
