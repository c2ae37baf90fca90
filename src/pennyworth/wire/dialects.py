"""The dialects there are."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.request import Dialect
from pennyworth.wire import chat, embeddings, messages, responses
from pennyworth.wire.codec import Codec

CODECS: Mapping[Dialect, Codec] = {"chat": chat, "messages": messages, "responses": responses, "embeddings": embeddings}
