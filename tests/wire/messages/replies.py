"""Replies of Anthropic's as JSON and as streams, of any content: strategies for laws."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SAID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
COUNT = st.integers(0, 100_000)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
INPUT = st.dictionaries(TEXT, JSON, max_size=3)
CITATION = st.fixed_dictionaries(
    {"type": st.just("char_location"), "cited_text": TEXT, "document_index": st.integers(0, 3)}
)
BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": SAID}, optional={"citations": st.none()}),
    st.fixed_dictionaries({"type": st.just("text"), "text": SAID, "citations": st.lists(CITATION, max_size=2)}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": SAID}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": SAID}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": SAID, "name": SAID, "input": INPUT}),
)
USAGE = st.fixed_dictionaries(
    {"input_tokens": COUNT, "output_tokens": st.integers(1, 100_000)},
    optional={
        "cache_read_input_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "cache_creation": st.fixed_dictionaries(
            {"ephemeral_5m_input_tokens": COUNT, "ephemeral_1h_input_tokens": COUNT}
        ),
        "service_tier": st.just("standard"),
        "output_tokens_details": st.just({"thinking_tokens": 1}),
        "server_tool_use": st.none(),
    },
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Whole replies, worth keeping."""
    content = draw(st.lists(BLOCK, min_size=1, max_size=4))
    content.append({"type": "text", "text": draw(SAID)})
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "stop_reason": "tool_use" if called else draw(st.sampled_from(["end_turn", "stop_sequence"])),
        "stop_sequence": None,
        "usage": draw(USAGE),
        **draw(st.sampled_from([{}, {"stop_details": None}, {"container": None}])),
    }


def event(fields: dict[str, Any]) -> bytes:
    return b"event: " + fields["type"].encode() + b"\ndata: " + json.dumps(fields).encode() + b"\n\n"


PING = event({"type": "ping"})


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """The same as a provider streams them: texts in pieces, a ping here and there, the counts in two parts."""
    body = draw(bodies())
    usage = body["usage"]
    start = {**body, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events = [event({"type": "message_start", "message": start})]
    for index, block in enumerate(body["content"]):
        events += [event(one) for one in draw(_block(index, block))]
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    final = {"output_tokens": usage["output_tokens"]}
    events.append(event({"type": "message_delta", "delta": delta, "usage": draw(st.sampled_from([usage, final]))}))
    events.append(event({"type": "message_stop"}))
    for place in draw(st.lists(st.integers(1, len(events) - 1), max_size=2)):
        events.insert(place, PING)
    return b"".join(events)


@st.composite
def _block(draw: st.DrawFn, index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    start, deltas = dict(block), []
    match block["type"]:
        case "text":
            start["text"] = ""
            deltas = [{"type": "text_delta", "text": piece} for piece in draw(_pieces(block["text"]))]
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in draw(_pieces(block["thinking"]))]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            start["input"] = {}
            written = json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in draw(_pieces(written))]
    at = {"index": index}
    return [
        {"type": "content_block_start", **at, "content_block": start},
        *[{"type": "content_block_delta", **at, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", **at},
    ]


@st.composite
def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
