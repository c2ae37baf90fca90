"""From a configuration file to the bytes that a provider behind a proxy reads, through the whole gateway."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pennyworth.config import interpret
from pennyworth.outcome import Receipt
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import Connection, connection, send
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running
from tests.door.scripted_provider import ScriptedProvider, last_reply

KEY, LOGIN = "sk-provider-key-0001", "ann:pass-word-of-the-proxy"
ENV = {"LLM_KEY": KEY, "PROXY_LOGIN": LOGIN}
FINE = connection(send(last_reply(chat_json("fine"))))


class Asked(NamedTuple):
    """``sent``: what the proxy read. ``said``: whatever the gateway logged."""

    reply: RawReply
    sent: list[bytes]
    receipts: list[Receipt]
    said: list[str]


def ask(script: Iterable[Connection], **body: object) -> Asked:
    """One question to a gateway whose provider has no address but behind the proxy, which the script plays."""
    with ScriptedProvider(script) as proxy:
        provider = {
            "preset": "deepseek",
            "base_url": "http://llm.internal.invalid/v1",
            "key_env": "LLM_KEY",
            "auth": "api-key",
            "models": ["*"],
            "proxy": proxy.base_url.removesuffix("/v1"),
            "proxy_env": "PROXY_LOGIN",
            "leave_out": ["user"],
            "calls": {"tries": 1},
        }
        plan = interpret({"state_dir": ":memory:", "providers": {"llm": provider}}, ENV)
        with Running(plan) as running:
            with Wire(running.port) as wire:
                reply = wire.send(post(question(**body))).read()
            assert reply is not None
            said = [*running.logged.lines, *running.troubles]
            return Asked(reply, list(proxy.requests), running.receipts(), said)


def test_what_the_file_says_is_what_the_provider_reads() -> None:
    asked = ask([FINE], user="ann", max_completion_tokens=7)
    head, _, body = asked.sent[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert asked.reply.status == 200
    assert lines[0] == "POST http://llm.internal.invalid/v1/chat/completions HTTP/1.1"
    assert "host: llm.internal.invalid" in lines
    assert f"api-key: {KEY}" in lines
    assert f"proxy-authorization: Basic {base64.b64encode(LOGIN.encode()).decode()}" in lines
    assert not [line for line in lines if line.lower().startswith("authorization")]
    fields = json.loads(body)
    assert (fields.get("max_tokens"), "max_completion_tokens" in fields, "user" in fields) == (7, False, False)
    (receipt,) = asked.receipts
    assert set(receipt.attempts[0].edits) == {"user", "max_tokens", "max_completion_tokens"}


def test_a_proxy_that_refuses_our_login_is_named_and_the_login_is_nowhere() -> None:
    asked = ask([connection(send(last_reply(b"", status="407 Proxy Authentication Required")))])
    assert asked.reply.status == 502
    assert "the proxy asks for other credentials (407): check proxy_env" in str(asked.reply.error["message"])
    everything = [msgspec.json.encode(asked.receipts), asked.reply.body, *map(str.encode, asked.said)]
    secrets = (b"pass-word-of-the-proxy", base64.b64encode(LOGIN.encode()), KEY.encode())
    assert [secret for secret in secrets if any(secret in text for text in everything)] == []
