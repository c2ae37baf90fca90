"""Most of a stream are pieces of text, which the recorder reads by a shorter way: it must find what the longer way finds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pennyworth.outcome import Outcome
from pennyworth.wire.chat.recorder import ChatRecorder

NOTHING = st.none()
TEXT = st.text(max_size=5)
DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(NOTHING, TEXT, st.just([{"type": "text", "text": "x"}])),
        "role": st.just("assistant"),
        "refusal": st.one_of(NOTHING, TEXT),
        "reasoning_content": st.one_of(NOTHING, TEXT),
        "tool_calls": st.one_of(NOTHING, st.just([{"index": 0, "function": {"name": "f", "arguments": "{}"}}])),
        "annotations": st.one_of(NOTHING, st.just([{"url": "x"}])),
        "unknown": TEXT,
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, 2, -1, 5000]),
        "delta": st.one_of(NOTHING, DELTA),
        "message": DELTA,
        "finish_reason": st.sampled_from([None, "stop", "length", "odd"]),
        "logprobs": st.one_of(NOTHING, st.just({"content": []})),
        "content_filter_results": st.just({}),
    },
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.one_of(NOTHING, st.lists(CHOICE, max_size=3)),
        "model": st.one_of(NOTHING, st.sampled_from(["m", "n", ""])),
        "system_fingerprint": st.one_of(NOTHING, st.sampled_from(["fp_1", "fp_2"])),
        "usage": st.one_of(NOTHING, st.just({"prompt_tokens": 3, "completion_tokens": 4})),
        "error": st.one_of(NOTHING, st.just({"message": "no"})),
        "id": st.one_of(NOTHING, TEXT),
        "obfuscation": TEXT,
        "citations": st.lists(TEXT, max_size=1),
    },
)


def recorded(chunks: list[dict[str, Any]], *, at_once: bool) -> tuple[Outcome, bool, str]:
    recorder = ChatRecorder()
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]
    if at_once:
        recorder.feed_all(events)
    else:
        for event in events:
            recorder.feed(event)
    outcome = recorder.outcome(status=200, raw=b"", streamed=True, ended=True, expected=1)
    return outcome, recorder.committed, recorder.fingerprint


PIECE = st.builds(
    lambda index, text: {"model": "m", "choices": [{"index": index, "delta": {"content": text}}]},
    st.integers(0, 3),
    TEXT,
)


@given(st.lists(st.one_of(PIECE, CHUNK, CHOICE.map(lambda choice: {"model": "m", "choices": [choice]})), max_size=12))
def test_pieces_read_the_short_way_say_what_they_say_the_long_way(chunks: list[dict[str, Any]]) -> None:
    assert recorded(chunks, at_once=True) == recorded(chunks, at_once=False)
