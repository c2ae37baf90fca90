"""Recorded traffic of every dialect: what was asked and what was answered, as bytes."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import NamedTuple

import pytest

from tests.wire.recorded import WHOLE

_PATHS = {
    "chat": "/chat/completions",
    "messages": "/v1/messages",
    "responses": "/responses",
    "embeddings": "/embeddings",
}


class Recorded(NamedTuple):
    """``request``: ``None`` where it was not recorded. ``reply``: the JSON body, ``stream``: the events, of one of which
    there is none."""

    id: str
    provider: str
    status: int
    request: bytes
    reply: bytes | None
    stream: bytes | None


@cache
def recorded_in(dialect: str) -> tuple[Recorded, ...]:
    """Every row of a dialect in the whole collection; the test is skipped where that is not."""
    if not WHOLE.exists():
        pytest.skip(f"the whole collection of recorded traffic is not on this machine ({WHOLE})")
    lines = gzip.decompress(WHOLE.read_bytes()).decode().splitlines()
    found = [json.loads(line) for line in lines]
    return tuple(_row(one) for one in found if one["url"].partition("?")[0].endswith(_PATHS[dialect]))


def _row(one: dict[str, object]) -> Recorded:
    request, reply = one["request_body"], one["response_body"]
    return Recorded(
        id=str(one["id"]),
        provider=str(one["provider"]),
        status=int(str(one["status"])),
        request=None if request is None else json.dumps(request).encode(),  # type: ignore[arg-type]
        reply=json.dumps(reply).encode() if isinstance(reply, dict) else None,
        stream=reply.encode() if isinstance(reply, str) else None,
    )
