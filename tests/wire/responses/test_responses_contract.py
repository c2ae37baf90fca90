"""Responses keep to what every dialect keeps to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from pennyworth.testing.responses_bytes import (
    call_item,
    message_item,
    response_body,
    response_events,
    response_usage,
)
from pennyworth.wire import responses
from tests.wire.codec_contract import CodecContract
from tests.wire.provider import SDK, sdk

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
USAGE = st.builds(response_usage, st.integers(1, 10**6), st.integers(1, 10**6))
THOUGHT = st.builds(
    lambda text: {"id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, TEXT
)


class TestResponses(CodecContract):
    codec = responses
    ask: ClassVar[dict[str, Any]] = {"model": "m", "input": "hello"}
    sdk: SDK

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _client(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        with sdk() as client:
            request.cls.sdk = client
            yield

    def bodies(self) -> st.SearchStrategy[dict[str, Any]]:
        said = st.lists(
            st.one_of(st.builds(message_item, TEXT), st.builds(call_item, TEXT, TEXT)), min_size=1, max_size=3
        )
        return st.builds(
            lambda thoughts, items, usage: response_body(*thoughts, *items, usage=usage),
            st.lists(THOUGHT, max_size=1), said, USAGE,
        )  # fmt: skip

    def streams(self) -> st.SearchStrategy[bytes]:
        events = st.builds(lambda texts, usage: response_events(texts, usage=usage), st.lists(TEXT, min_size=1), USAGE)
        called = self.bodies().map(
            lambda body: responses.as_events(json.dumps(body).encode(), streamed=False, usage=True)
        )
        return st.one_of(events.map(b"".join), called)

    def raised(self, status: int, body: bytes, *, streamed: bool = False) -> Exception:
        with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what the test asks
            list(self.sdk.asking(body, status).responses.create(model="m", input="hello", stream=streamed))
        return caught.value
