"""What went wrong in a stream goes wrong in its translation too: no part of a reply passes for the whole."""

from __future__ import annotations

import pytest

from pennyworth.request import Dialect
from pennyworth.testing.chat_bytes import chat_events
from pennyworth.testing.responses_bytes import response_events
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.sse import EventSplitter
from pennyworth.wire.translate import StreamTranslator
from tests.fuzz.dialects import MESSAGE

CHAT = b"".join(chat_events(["Hel", "lo"], usage=(9, 2)))
RESPONSE = b"".join(response_events(["Hel", "lo"]))
INTO: dict[Dialect, tuple[Dialect, ...]] = {
    "chat": ("messages", "responses"),
    "messages": ("chat", "responses"),
    "responses": ("chat", "messages"),
}
WRONG: list[tuple[Dialect, bytes, bytes, str]] = [
    ("messages", MESSAGE, b'data: {"error":{"message":"overloaded"}}\n\n', "overloaded"),
    ("messages", MESSAGE, b'event: error\ndata: {"message":"overloaded"}\n\n', "overloaded"),
    ("messages", MESSAGE, b'event: error\ndata: {"type":"error","error":"overloaded"}\n\n', "overloaded"),
    (
        "messages",
        MESSAGE,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":"x"}\n\n',
        "be read",
    ),
    ("chat", CHAT, b'event: error\ndata: {"message":"overloaded"}\n\n', "overloaded"),
    ("chat", CHAT, b'data: {"error":{"message":"overloaded","code":529}}\n\n', "overloaded"),
    ("chat", CHAT, b'data: {"error":{}}\n\n', "sent an error"),
    ("chat", CHAT, b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"id":7}]}}]}\n\n', "be read"),
    ("chat", CHAT, b'data: {"choices":[{"index":0,"delta":{"images":[{"type":"image_url"}]}}]}\n\n', "an image"),
    ("chat", CHAT, b'data: {"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"AA=="}}}]}\n\n', "a sound"),
    ("responses", RESPONSE, b'event: error\ndata: {"type":"error","error":"overloaded"}\n\n', "overloaded"),
    ("responses", RESPONSE, b'data: {"type":"response.output_text.delta","output_index":"x"}\n\n', "be read"),
]


@pytest.mark.parametrize(("origin", "raw", "wrong", "told"), WRONG)
def test_what_went_wrong_in_the_middle_is_told_and_nothing_after_it(
    origin: Dialect, raw: bytes, wrong: bytes, told: str
) -> None:
    events = EventSplitter().feed(raw)
    for into in INTO[origin]:
        translator = StreamTranslator(origin, into)
        said = b"".join([translator.feed(one) for one in [*events[:4], wrong, *events[4:]]]) + translator.finish()
        ending, _ = ended(into, said)
        assert ending == "error", (into, said)
        assert told.encode() in said


def test_a_good_end_does_not_take_back_a_refusal() -> None:
    end = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":7}}\n\n'
    events = EventSplitter().feed(MESSAGE)
    translator = StreamTranslator("messages", "chat")
    said = b"".join([translator.feed(one) for one in [*events[:-2], end, *events[-2:]]])
    assert b'"finish_reason":"content_filter"' in said


def test_a_last_event_that_its_recorder_cannot_read_is_no_end() -> None:
    raw = RESPONSE.replace(b'"status":"completed","error":null', b'"status":"\xc6","error":null')
    assert raw != RESPONSE
    assert ended("responses", raw)[0] == "cut"
    for into in INTO["responses"]:
        assert ended(into, StreamTranslator("responses", into).feed(raw))[0] != "complete"


@pytest.mark.parametrize("origin", ["chat", "messages"])
def test_a_call_that_has_no_words_leaves_no_empty_response_behind(origin: Dialect) -> None:
    raw = b"".join(chat_events(["Wait."], finish="tool_calls"))
    if origin == "messages":
        raw = MESSAGE.replace(b'"tool_use","id"', b'"unheard_of","id"')
    assert ended("responses", StreamTranslator(origin, "responses").feed(raw))[0] == "error"


@pytest.mark.parametrize("usage", [b'{"input_tokens":{}}', b"7", b"null"])
def test_a_usage_that_cannot_be_read_loses_nothing_else(usage: bytes) -> None:
    raw = MESSAGE.replace(b'{"output_tokens":7}', usage)
    assert ended("chat", StreamTranslator("messages", "chat").feed(raw)) == ("tools", ("f",))


def ended(dialect: Dialect, raw: bytes) -> tuple[str, tuple[str, ...]]:
    """How its own recorder says that it ended, and the tools that were called."""
    recorder = CODECS[dialect].recorder()
    recorder.feed_all(EventSplitter().feed(raw))
    outcome = recorder.outcome(status=200, raw=raw, streamed=True, ended=True, expected=1)
    return outcome.ending, outcome.tools
