"""Recorded traffic between SDKs and Anthropic."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pennyworth.wire import messages
from tests.wire.codec_contract import Recorded, record, record_json
from tests.wire.recorded import WHOLE

SHIPPED = Path(__file__).parents[2] / "data" / "cassettes" / "messages.jsonl"


class Row(NamedTuple):
    """One interaction. ``raw``: the reply's bytes."""

    id: str
    status: int
    request: dict[str, Any]
    reply: dict[str, Any] | str
    raw: bytes

    @property
    def streamed(self) -> bool:
        return isinstance(self.reply, str)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The stream's events, read by the plainest means."""
        assert isinstance(self.reply, str)
        return [json.loads(line[5:]) for line in self.reply.splitlines() if line.startswith("data:")]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """Content blocks, in a stream as they began."""
        if isinstance(self.reply, dict):
            found: list[dict[str, Any]] = self.reply["content"]
            return found
        return [event["content_block"] for event in self.events if event["type"] == "content_block_start"]

    def said(self, name: str) -> Any:
        """A field of the message, said last."""
        if isinstance(self.reply, dict):
            return self.reply.get(name)
        messages = [event.get("message") or event.get("delta") or {} for event in self.events]
        return next((one[name] for one in reversed(messages) if one.get(name)), None)

    @property
    def counts(self) -> dict[str, Any]:
        """The usage, in a stream what was said last of each count."""
        if isinstance(self.reply, dict):
            return dict(self.reply["usage"])
        stated = [event.get("message", event).get("usage") or {} for event in self.events]
        return {name: value for usage in stated for name, value in usage.items() if value is not None}


def rows(which: str) -> list[Row]:
    """``shipped``: the sample in this repository. ``whole``: the collection it is taken from, where there is one."""
    if which == "shipped":
        lines: Iterable[str] = SHIPPED.read_text("utf-8").splitlines()
    elif WHOLE.exists():
        lines = gzip.decompress(WHOLE.read_bytes()).decode().splitlines()
    else:
        pytest.skip(f"the whole collection of recorded traffic is not on this machine ({WHOLE})")
    found = [json.loads(line) for line in lines]
    return [_row(one) for one in found if one["provider"] == "anthropic" and "/messages" in one["url"]]


def answered(rows: list[Row]) -> list[Row]:
    """Those with a message for a reply."""
    return [row for row in rows if row.status == 200 and "input_tokens" not in row.reply]


def record_row(row: Row, cuts: Iterable[int] = ()) -> Recorded:
    if row.streamed:
        return record(messages, row.raw, cuts, status=row.status)
    return record_json(messages, row.raw, status=row.status)


def _row(one: dict[str, Any]) -> Row:
    reply = one["response_body"]
    raw = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
    return Row(one["id"], one["status"], one["request_body"], reply, raw)
