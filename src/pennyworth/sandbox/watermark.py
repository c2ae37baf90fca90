"""The mark by which an answer proves whose question it answers, so that a wrong, mixed or truncated one is found
mechanically. Anybody who knows the request and its credential can compute it.

An answer reads ``[wm:<hex>] Simulated answer: … [end:<hex>]``. The first mark is an HMAC over tenant, model and every
body field that can change an answer; the last is an HMAC over all the text before it and the number of the choice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec

UNMARKED = frozenset(
    {
        "stream",
        "stream_options",
        "user",
        "metadata",
        "service_tier",
        "prompt_cache_key",
        "safety_identifier",
        "store",
    }
)
"""Body fields that do not change what a model says, and so are not part of the mark."""

_MARK = re.compile(r"\[wm:([0-9a-f]{32})\]")
_HEAD = tuple(a + b for a in ("b", "d", "f", "g") for b in ("a", "e", "i", "o"))
_TAIL = tuple(a + b for a in ("l", "m", "n", "r") for b in ("an", "en", "in", "on"))
WORDS = tuple(f" {head}{tail}" for head in _HEAD for tail in _TAIL)
"""256 words that mean nothing: nobody can mistake them for a model's."""

_PERIOD = 4096


def tenant_of(credential: str) -> str:
    """Who asks, as the sandbox knows tenants: a hash of the key, with or without ``Bearer`` before it."""
    return hashlib.sha256(credential.removeprefix("Bearer ").encode()).hexdigest()[:16]


def expected_watermark(body: Mapping[str, Any] | bytes, credential: str) -> str:
    """The mark of the answer to this body, sent with this credential. ``body`` as sent upstream: JSON bytes or fields.

    The order of keys and white space make no difference. ``1`` and ``1.0`` do: they are different requests.
    """
    fields = msgspec.json.decode(body) if isinstance(body, bytes) else body
    marked = {name: value for name, value in fields.items() if name not in UNMARKED}
    message = f"{fields.get('model', '')}\x00".encode() + msgspec.json.encode(marked, order="sorted")
    return hmac.digest(tenant_of(credential).encode(), message, "sha256")[:16].hex()


def filler(watermark: str, choice: int, words: int) -> list[str]:
    """That many words, a pure function of mark and choice; a longer answer begins like a shorter one."""
    noise = hashlib.shake_128(f"{watermark}:{choice}".encode()).digest(min(words, _PERIOD))
    period = [WORDS[byte] for byte in noise]
    return period if words <= _PERIOD else [period[i % _PERIOD] for i in range(words)]


def opening(watermark: str, noun: str = "answer") -> list[str]:
    """The first four tokens of every answer."""
    return [f"[wm:{watermark}]", " Simulated", f" {noun}", ":"]


def end_mark(text: str, watermark: str, choice: int) -> str:
    """The last token of an answer whose text so far is ``text``."""
    digest = hmac.digest(f"{watermark}:{choice}".encode(), text.encode(), "sha256")
    return f" [end:{digest[:16].hex()}]"


def check_answer(
    text: str, body: Mapping[str, Any] | bytes, credential: str, *, choice: int = 0, finish: str = "stop"
) -> str | None:
    """What is wrong with this answer to this request; ``None`` when every byte of it is right.

    With ``finish="length"`` (or ``content_filter``) the text may stop anywhere but must be right as far as it goes.
    Works for refusals, and for the ``sandbox`` argument of a tool call.
    """
    expected = expected_watermark(body, credential)
    if problem := _wrong_mark(text, expected):
        return problem
    if finish in ("length", "content_filter"):
        return _wrong_start(text, expected, choice)
    said, space, mark = text.rpartition(" [end:")
    if not space:
        return "truncated: the answer has no end mark"
    if space + mark != end_mark(said, expected, choice):
        return "altered, or of another choice: the end mark does not belong to this text"
    return None


def _wrong_mark(text: str, expected: str) -> str | None:
    marks = _MARK.findall(text)
    if not marks:
        return "no watermark: not an answer of this sandbox, or its beginning is missing"
    if marks != [expected]:
        return f"answers another request: expected watermark {expected}, found {', '.join(marks)}"
    return None if text.startswith(f"[wm:{expected}]") else "something stands before the watermark"


def _wrong_start(text: str, watermark: str, choice: int) -> str | None:
    """A text that stops within its opening may not yet say whether it was to be an answer or a refusal."""
    words = "".join(filler(watermark, choice, max(len(text) // 4, 1)))
    right = any(("".join(opening(watermark, noun)) + words).startswith(text) for noun in ("answer", "refusal"))
    return None if right else "altered: the words are not those of this watermark"
