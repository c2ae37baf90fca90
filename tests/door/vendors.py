"""Gateways for the SDKs of both vendors: before a provider that speaks every dialect, and before ones that speak one."""

from __future__ import annotations

import pytest

from pennyworth.errors import RequestError
from pennyworth.plan import HINTS, Plan
from pennyworth.request import Caller, Dialect
from pennyworth.testing.chat_bytes import chat_events
from pennyworth.wire import chat, translate
from pennyworth.wire.dialects import CODECS
from tests.door.running import plan_for

VERSION = (("anthropic-version", "2023-06-01"),)
EVERY: tuple[Dialect, ...] = ("chat", "responses", "messages", "embeddings", "other")


def gateway_for(url: str, *dialects: Dialect) -> Plan:
    """Before a provider at ``url`` that speaks these, or all."""
    return plan_for(url, provider={"dialects": dialects or EVERY, "headers": VERSION})


def _translates() -> bool:
    asked = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
    try:
        translate.request_into(chat.read_request(asked, {}, Caller("local")), "messages", HINTS)
    except RequestError:
        return False
    events = b"".join(chat_events(["hi"], usage=(1, 1)))
    return bool(translate.StreamTranslator("chat", "messages", usage=True).feed(events))


SPOKEN = [*CODECS, *(["translation"] if _translates() else [])]
"""The dialects of this gateway, and whether it translates between them."""


def needs(*words: str) -> pytest.MarkDecorator:
    """Of a test for dialects that this gateway may not speak yet."""
    missing = [word for word in words if word not in SPOKEN]
    return pytest.mark.skipif(bool(missing), reason=f"the gateway does not speak {', '.join(missing)}")
