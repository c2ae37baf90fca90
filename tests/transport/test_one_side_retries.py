"""Calls at the provider, counted for every kind of failure: the engine's own tries, and never those times the SDK's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from pennyworth import Pennyworth
from pennyworth.plan import Persistence
from pennyworth.testing.chat_bytes import error_json
from pennyworth.testing.scripted_server import AwaitClose, Connection, connection, http_head, reset, send
from tests.door.running import eventually, plan_for
from tests.door.scripted_provider import last_reply
from tests.transport.conftest import MakeLibrary
from tests.transport.doors import receipts_of

TRIES = 3
PATIENT = Persistence(tries=TRIES, pause_s=0.001, retry_share=1.0, trip_after=10**9, wait_s=0.1)
TEXT = {"messages": [{"role": "user", "content": "Why are fire engines red?"}]}


def says(status: str, **headers: str) -> Connection:
    return connection(send(last_reply(error_json("no"), status=status, headers=headers)))


EVENT = {
    "chat": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":"For"},"finish_reason":null}]}\n\n',
    "messages": b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"For"}}\n\n',
}


def cut_stream(dialect: str) -> Connection:
    event = EVENT[dialect]
    head = http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    return connection(send(head + b"%x\r\n%s\r\n" % (len(event), event)), reset())


FAILURES: dict[str, tuple[Callable[[str], Connection], int, bool]] = {
    "reset before a word": (lambda _: connection(reset()), TRIES, False),
    "429 with a time": (lambda _: says("429 Slow Down", **{"retry-after": "0"}), TRIES, False),
    "429 with a long time": (lambda _: says("429 Slow Down", **{"retry-after": "60"}), TRIES, False),
    "500": (lambda _: says("500 Oh"), TRIES, False),
    "529": (lambda _: says("529 Overloaded"), TRIES, False),
    "503": (lambda _: says("503 Away"), TRIES, False),
    "408": (lambda _: says("408 Late"), TRIES, False),
    "409": (lambda _: says("409 Conflict"), TRIES, False),
    "half a body": (
        lambda _: connection(send(http_head(headers={"content-length": "90"}) + b"{"), reset()),
        TRIES,
        False,
    ),
    "no reply in time": (lambda _: connection(AwaitClose()), 1, False),
    "a stream that is cut": (cut_stream, 1, True),
}
"""What the provider does, how many calls that may be at most, and whether a stream was asked for."""


def ask(vendor: str, pw: Any, stream: bool) -> None:
    """With its SDK, and read to its end."""
    if vendor == "openai":
        one = openai.OpenAI(http_client=pw.http_client(), api_key="x", max_retries=2, timeout=1.0)
        given: Any = one.chat.completions.create(model="gpt-4o-mini", stream=stream, **TEXT)  # type: ignore[call-overload]
    else:
        other = anthropic.Anthropic(http_client=pw.http_client(), api_key="x", max_retries=2, timeout=1.0)
        given = other.messages.create(model="claude-haiku-4-5", max_tokens=9, stream=stream, **TEXT)  # type: ignore[call-overload]
    for _ in given if stream else ():
        pass


async def ask_async(vendor: str, pw: Any, stream: bool) -> None:
    if vendor == "openai":
        one = openai.AsyncOpenAI(http_client=pw.async_http_client(), api_key="x", max_retries=2, timeout=1.0)
        given: Any = await one.chat.completions.create(model="gpt-4o-mini", stream=stream, **TEXT)  # type: ignore[call-overload]
    else:
        other = anthropic.AsyncAnthropic(http_client=pw.async_http_client(), api_key="x", max_retries=2, timeout=1.0)
        given = await other.messages.create(model="claude-haiku-4-5", max_tokens=9, stream=stream, **TEXT)  # type: ignore[call-overload]
    if stream:
        async for _ in given:
            pass


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_whatever_fails_is_tried_by_one_side_only(make: MakeLibrary, vendor: str, failure: str):
    script, most, stream = FAILURES[failure]
    dialect = "chat" if vendor == "openai" else "messages"
    provider_is: dict[str, Any] = {"persistence": PATIENT}
    if vendor == "anthropic":
        provider_is |= {"name": "anthropic", "dialects": ("messages",)}
    pw, provider = make(then=script(dialect), provider=provider_is)
    errors = (openai.OpenAIError, anthropic.AnthropicError)
    for round_, asked in enumerate(
        (lambda: ask(vendor, pw, stream), lambda: asyncio.run(ask_async(vendor, pw, stream))), 1
    ):
        with pytest.raises(errors):
            asked()
        assert 1 <= provider.connections <= round_ * most, failure
    assert eventually(lambda: len(pw._house.runtime.engine.flights) == 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_where_nobody_listens_one_side_tries(vendor: str):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    speaks = {"persistence": PATIENT, "dialects": ("chat", "messages")}
    with Pennyworth(plan_for(f"http://127.0.0.1:{port}/v1", provider=speaks)) as pw:
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
            ask(vendor, pw, False)
        assert 1 <= len(pw.receipt(caught.value).attempts) <= TRIES
        assert len(receipts_of(pw)) == 1
