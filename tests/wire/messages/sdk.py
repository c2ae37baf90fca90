"""The official Anthropic client, asking a provider that answers with given bytes."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic
from anthropic.types import Message

from tests.wire.provider import Provider

ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}


class SDK:
    """Parses replies, and puts streams together by its own accumulator."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._client = Anthropic(base_url=provider.url, api_key="none", max_retries=0, timeout=10)

    def message(self, raw: bytes, status: int = 200) -> Message:
        self._provider.gives(raw, status)
        return self._client.messages.create(**ASK)

    def accumulated(self, raw: bytes) -> Message:
        self._provider.gives(raw)
        with self._client.messages.stream(**ASK) as stream:
            return stream.get_final_message()

    def close(self) -> None:
        self._client.close()
