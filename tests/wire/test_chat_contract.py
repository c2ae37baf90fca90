"""Chat completions are a dialect like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.wire import chat
from tests.wire.codec_contract import CodecContract
from tests.wire.provider import ASK, SDK, sdk
from tests.wire.test_replay_sdk import as_assembled

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
USAGE = st.tuples(st.integers(1, 10**6), st.integers(1, 10**6))


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}


CALLS = st.lists(st.builds(_call, TEXT, TEXT), min_size=1, max_size=3)


class TestChat(CodecContract):
    codec = chat
    ask = ASK
    sdk: SDK

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _client(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        with sdk() as client:
            request.cls.sdk = client
            yield

    def bodies(self) -> st.SearchStrategy[dict[str, Any]]:
        said = st.builds(lambda text, usage: chat_json(text, usage=usage), TEXT, USAGE)
        called = st.builds(
            lambda calls, usage: chat_json(None, usage=usage, finish="tool_calls", message={"tool_calls": calls}),
            CALLS,
            USAGE,
        )
        return st.one_of(said, called).map(json.loads)

    def streams(self) -> st.SearchStrategy[bytes]:
        events = st.builds(lambda texts, usage: chat_events(texts, usage=usage), st.lists(TEXT, min_size=1), USAGE)
        return events.map(b"".join)

    def same(self, body: dict[str, Any]) -> Any:
        return {**body, "choices": [as_assembled(choice) for choice in body["choices"]]}

    def sure_from(self, stream: bytes) -> int:
        return stream.index(b"\n\n", stream.index(b'"finish_reason":"')) + 2

    def raised(self, status: int, body: bytes, *, streamed: bool = False) -> Exception:
        with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what the test asks
            self.sdk.chunks(body) if streamed else self.sdk.completion(body, status)
        return caught.value
