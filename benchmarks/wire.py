"""What reading, recording and replaying cost, in microseconds: ``python benchmarks/wire.py``.

Each figure is the least of many rounds (CPU time of this process), so that a busy machine shows the code and not its
neighbours; the spread to the median is printed beside it. Bodies are those of a short question with two messages.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from functools import partial

from pennyworth.decide.key import Keyring
from pennyworth.engine.questions import question_of
from pennyworth.outcome import Outcome
from pennyworth.plan import CacheSpec, Provider, Target
from pennyworth.request import Caller, Dialect
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.responses_bytes import message_item, response_events, response_json
from pennyworth.wire import chat, edits, json_tree, messages, responses
from pennyworth.wire.chat import replay
from pennyworth.wire.chat.recorder import ChatRecorder
from pennyworth.wire.codec import Codec
from pennyworth.wire.sse import EventSplitter
from pennyworth.wire.translate import StreamTranslator, plain_form, reply_as_json, request_into

ROUNDS = 41
SYSTEM = "You are a helpful banking assistant. Answer in one short paragraph and never invent facts."
QUESTION = (
    "What is the exchange rate when I pay abroad with my card? I am travelling to Japan next week and would like to know "
    "whether there is an extra charge on top of the rate, and when it is settled."
)
ASKED = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
    "temperature": 0.0,
    "max_tokens": 256,
    "user": "user-123",
    "top_p": 1,
    "seed": 42,
    "response_format": {"type": "text"},
    "metadata": {"team": "support"},
}
COMPACT = json.dumps(ASKED, separators=(",", ":")).encode()
SPACED = json.dumps(ASKED).encode()
ESCAPED = json.dumps({**ASKED, "metadata": {"team": "hỗ trợ"}}).encode()
LONG = json.dumps({**ASKED, "messages": ASKED["messages"] * 150}, separators=(",", ":")).encode()
HEADERS = {"host": "localhost", "content-type": "application/json", "authorization": "Bearer x", "user-agent": "x"}
VARY = ("openai-beta", "openai-organization", "openai-project")
CALLER = Caller("a")
TALK = json.dumps(
    {
        "model": "claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": SYSTEM},
            *[{"role": role, "content": QUESTION} for role in ("user", "assistant") * 3],
            {"role": "user", "content": QUESTION},
        ],
        "temperature": 0.5,
        "max_tokens": 256,
        "user": "user-123",
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    separators=(",", ":"),
).encode()
EVENTS = chat_events(["word "] * 19, usage=(60, 19))
STREAM = b"".join(EVENTS)
BODY = chat_json("word " * 19, usage=(60, 19))
MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "word " * 19}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 60, "output_tokens": 19},
    }
).encode()


def anthropic_events(pieces: int) -> list[bytes]:
    """A stream of Messages with so many pieces of text."""
    first, *rest = EventSplitter().feed(messages.as_events(MESSAGE, streamed=False, usage=True))
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}
    piece = b"event: content_block_delta\ndata: " + json.dumps(delta).encode() + b"\n\n"
    return [first, rest[0], *[piece] * pieces, *rest[2:]]


ANTHROPIC = anthropic_events(19)


def record_messages(events: list[bytes]) -> Outcome:
    recorder = messages.recorder()
    for event in events:
        recorder.feed_all([event])
    return recorder.outcome(status=200, raw=b"".join(events), streamed=True, ended=True, expected=1)


HUNDRED = chat_events(["word "] * 100, usage=(60, 100))
RESPONDED = response_events(["word "] * 100)
RESPONSE = response_json(message_item("word " * 100))


def record(events: list[bytes]) -> Outcome:
    recorder = ChatRecorder()
    for event in events:
        recorder.feed(event)
    return recorder.outcome(status=200, raw=STREAM, streamed=True, ended=True, expected=1)


def record_all(codec: Codec, events: list[bytes]) -> Outcome:
    """As the engine does it, whole reads at once."""
    recorder = codec.recorder()
    recorder.feed_all(events)
    return recorder.outcome(status=200, raw=STREAM, streamed=True, ended=True, expected=1)


def split(events: list[bytes]) -> int:
    splitter = EventSplitter()
    return sum(len(splitter.feed(event)) for event in events)


def in_dialect(dialect: Dialect) -> bytes:
    if dialect == "chat":
        return STREAM
    translator = StreamTranslator("chat", dialect)
    return translator.feed(STREAM) + translator.finish()


def begun(origin: Dialect, into: Dialect) -> StreamTranslator:
    """In the middle of a stream."""
    translator = StreamTranslator(origin, into)
    raw = in_dialect(origin)
    translator.feed(raw[: raw.index(text_event(origin)) + len(text_event(origin))])
    return translator


def text_event(dialect: Dialect) -> bytes:
    return next(event + b"\n\n" for event in in_dialect(dialect).split(b"\n\n") if b'"word "' in event)


WAYS: tuple[tuple[Dialect, Dialect], ...] = (
    ("chat", "messages"),
    ("chat", "responses"),
    ("messages", "chat"),
    ("responses", "chat"),
)


def cases() -> Iterator[tuple[str, Callable[[], object]]]:
    target = Target(provider=Provider(name="openai", base_url="https://api.openai.com/v1"), model="gpt-4o-mini")
    request = chat.read_request(COMPACT, HEADERS, CALLER, vary=VARY)
    streamed = chat.read_request(COMPACT[:-1] + b',"stream":true}', HEADERS, CALLER, vary=VARY)
    yield f"parse, {len(COMPACT)} bytes, compact (SDKs)", partial(json_tree.parse, COMPACT)
    yield f"parse, {len(SPACED)} bytes, with spaces", partial(json_tree.parse, SPACED)
    yield f"parse, {len(ESCAPED)} bytes, with escapes", partial(json_tree.parse, ESCAPED)
    yield f"parse, {len(LONG)} bytes, compact", partial(json_tree.parse, LONG)
    yield "read_request (parse and checks)", partial(chat.read_request, COMPACT, HEADERS, CALLER, vary=VARY)
    keys = partial(Keyring(b"s" * 32).keys, request, question_of(request, CacheSpec()), target, "default", 0)
    yield "what it asks, in every dialect's form", partial(question_of, request, CacheSpec())
    yield "keys", keys
    yield "ask for a stream's usage", lambda: edits.apply(streamed.body, chat.edits(streamed), ())
    yield f"split {len(EVENTS)} events, one a read", partial(split, EVENTS)
    yield f"record {len(EVENTS)} events", partial(record, EVENTS)
    yield f"hide usage in {len(EVENTS)} events", lambda: [replay.hide_usage(event) for event in EVENTS]
    for origin, into in WAYS:
        yield f"say a piece of text, {origin} to {into}", partial(begun(origin, into).feed, text_event(origin))
    yield "replay JSON as events", partial(replay.as_events, BODY, streamed=False, usage=True)
    yield f"Messages: record {len(ANTHROPIC)} events", partial(record_messages, ANTHROPIC)
    yield "Messages: replay JSON as events", partial(messages.as_events, MESSAGE, streamed=False, usage=True)
    stream = b"".join(ANTHROPIC)
    yield f"Messages: replay {len(ANTHROPIC)} events as JSON", partial(messages.as_json, stream, streamed=True)
    yield f"replay {len(EVENTS)} events as JSON", partial(replay.as_json, STREAM, streamed=True)
    yield f"record {len(HUNDRED)} events at once", partial(record_all, chat, HUNDRED)
    yield f"responses: record {len(RESPONDED)} events at once", partial(record_all, responses, RESPONDED)
    yield "responses: replay JSON as events", partial(responses.as_events, RESPONSE, streamed=False, usage=True)
    yield (
        f"responses: replay {len(RESPONDED)} events as JSON",
        partial(responses.as_json, b"".join(RESPONDED), streamed=True),
    )


def translations() -> Iterator[tuple[str, Callable[[], object]]]:
    """Of a conversation of seven turns, and of a short reply."""
    talk = chat.read_request(TALK, HEADERS, CALLER, vary=VARY)
    other = request_into(talk, "messages").request
    reply = reply_as_json(BODY, streamed=False, origin="chat", into="messages")
    yield f"request, chat to messages, {len(TALK)} bytes", partial(request_into, talk, "messages")
    yield f"request, messages to chat, {len(other.body)} bytes", partial(request_into, other, "chat")
    yield f"request, chat to responses, {len(TALK)} bytes", partial(request_into, talk, "responses")
    yield "reply, chat to messages", partial(reply_as_json, BODY, streamed=False, origin="chat", into="messages")
    yield "reply, messages to chat", partial(reply_as_json, reply, streamed=False, origin="messages", into="chat")
    yield "plain form of chat (for the key)", partial(plain_form, talk)
    yield "plain form of messages (for the key)", partial(plain_form, other)


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Least and median of a call, in microseconds."""
    timer = timeit.Timer(run, timer=time.process_time)
    once = max(timer.timeit(20) / 20, 1e-7)
    number = max(1, int(0.005 / once))
    found = [seconds / number * 1e6 for seconds in timer.repeat(ROUNDS, number)]
    return min(found), statistics.median(found)


def main() -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {ROUNDS} rounds, CPU time\n")
    print(f"{'':42}{'least µs':>10}{'median µs':>11}")
    for name, run in [*cases(), *translations()]:
        least, median = measure(run)
        print(f"{name:42}{least:10.1f}{median:11.1f}")


if __name__ == "__main__":
    sys.exit(main())
