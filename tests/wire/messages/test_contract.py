"""Anthropic Messages is a dialect like any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from pennyworth.wire import messages
from tests.wire.codec_contract import CodecContract
from tests.wire.messages.replies import bodies, streams
from tests.wire.messages.sdk import ASK, SDK
from tests.wire.provider import provider


class TestMessages(CodecContract):
    codec = messages
    ask = ASK

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _client(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        with provider() as there:
            request.cls.sdk = SDK(there)
            yield
            request.cls.sdk.close()

    sdk: SDK

    def bodies(self) -> st.SearchStrategy[dict[str, Any]]:
        return bodies()

    def streams(self) -> st.SearchStrategy[bytes]:
        return streams()

    def raised(self, status: int, body: bytes, *, streamed: bool = False) -> Exception:
        with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what the test asks
            self.sdk.accumulated(body) if streamed else self.sdk.message(body, status)
        return caught.value
