"""Anthropic's SDK over the transports: the same reply given again, streams, errors as its own classes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from pennyworth.plan import Persistence
from pennyworth.testing.scripted_server import Connection, connection, send
from pennyworth.wire.dialects import CODECS
from tests.door.scripted_provider import last_reply, last_stream
from tests.transport.conftest import MakeLibrary
from tests.transport.doors import receipts_of

pytestmark = pytest.mark.skipif("messages" not in CODECS, reason="this build does not speak the dialect")

SPEAKS: dict[str, dict[str, Any]] = {
    "provider": {"name": "anthropic", "dialects": ("messages",), "price_provider": "anthropic"}
}
ASKED: Any = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Why are fire engines red?"}],
}
MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "For the fire hose."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 5},
}
START = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
EVENTS = [
    {"type": "message_start", "message": START},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "For the "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "fire hose."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
]


def whole() -> Connection:
    return connection(send(last_reply(json.dumps(MESSAGE).encode())))


def streamed() -> Connection:
    events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in EVENTS]
    return connection(send(last_stream(events)))


def test_a_message_given_again_is_the_same_object(make: MakeLibrary):
    pw, provider = make([whole()], **SPEAKS)
    client = Anthropic(http_client=pw.http_client(), api_key="unused")
    first, again = (client.messages.create(**ASKED) for _ in range(2))
    assert first == again
    assert first.content[0].type == "text"
    assert [pw.receipt(each).served for each in (first, again)] == ["upstream", "exact"]
    assert len(provider.requests) == 1


def test_a_stream_given_again_is_the_same_message_in_any_loop(make: MakeLibrary):
    pw, _ = make([streamed()], **SPEAKS)

    async def ask() -> tuple[str, Any]:
        client = AsyncAnthropic(http_client=pw.async_http_client(), api_key="unused")
        async with client.messages.stream(**ASKED) as stream:
            text = "".join([part async for part in stream.text_stream])
            return text, await stream.get_final_message()

    live, again = asyncio.run(ask()), asyncio.run(ask())
    assert live == again
    assert live[0] == "For the fire hose."
    with Anthropic(http_client=pw.http_client(), api_key="unused").messages.stream(**ASKED) as stream:
        assert stream.get_final_text() == live[0]
        assert pw.receipt(stream).served == "exact"
    assert [receipt.served for receipt in receipts_of(pw)] == ["upstream", "exact", "exact"]


def test_its_errors_are_its_own_and_one_side_retries(make: MakeLibrary):
    error = json.dumps({"type": "error", "error": {"type": "api_error", "message": "no"}}).encode()
    thrice = Persistence(tries=3, pause_s=0.001, retry_share=1.0, trip_after=10**9)
    speaks = {"provider": {**SPEAKS["provider"], "persistence": thrice}}
    pw, provider = make(then=connection(send(last_reply(error, status="500 Oh"))), **speaks)
    client = Anthropic(http_client=pw.http_client(), api_key="unused", max_retries=2)
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.messages.create(**ASKED)
    assert len(provider.requests) == 3
    assert pw.receipt(caught.value).status == 500
