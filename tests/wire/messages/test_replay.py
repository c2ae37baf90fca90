"""Forms of a reply: the order in which Anthropic streams, and counts that come in two parts."""

from __future__ import annotations

import json
from typing import Any

from pennyworth.wire import messages
from pennyworth.wire.sse import EventSplitter, read
from tests.wire.messages.replies import event

USAGE = {"input_tokens": 9, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}, "service_tier": "x"}
BODY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": USAGE,
}


def events(body: dict[str, Any]) -> list[dict[str, Any]]:
    raw = messages.as_events(json.dumps(body).encode(), streamed=False, usage=True)
    found = [read(one) for one in EventSplitter().feed(raw)]
    assert [kind.decode() for kind, _ in found] == [json.loads(data)["type"] for _, data in found]
    return [json.loads(data) for _, data in found]


def test_a_body_is_streamed_in_anthropics_order_with_nothing_said_too_early() -> None:
    start, *between, end, stop = events(BODY)
    assert start["message"]["content"] == []
    assert start["message"]["stop_reason"] is None
    assert start["message"]["usage"] == {"input_tokens": 9, "output_tokens": 0, "service_tier": "x"}
    assert [one.get("delta", {}).get("type") or one["type"] for one in between] == [
        *["content_block_start", "thinking_delta", "signature_delta", "content_block_stop"],
        *["content_block_start", "text_delta", "content_block_stop"],
        *["content_block_start", "input_json_delta", "content_block_stop"],
    ]
    assert end["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert end["usage"] == {name: value for name, value in USAGE.items() if name != "service_tier"}
    assert stop == {"type": "message_stop"}


def test_an_error_is_streamed_as_one() -> None:
    assert events({"error": {"type": "api_error", "message": "x"}}) == [
        {"type": "error", "error": {"type": "api_error", "message": "x"}}
    ]


def together(*parts: dict[str, Any]) -> Any:
    return json.loads(messages.as_json(b"".join(map(event, parts)), streamed=True))


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"content": [], "usage": usage}}


def end(**usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


def test_a_count_that_is_not_said_again_stays_and_a_later_one_wins() -> None:
    made = together(start(input_tokens=9, output_tokens=1), end(input_tokens=None, output_tokens=5, new_tokens=None))
    assert made["usage"] == {"input_tokens": 9, "output_tokens": 5, "new_tokens": None}
    assert together(start(input_tokens=9), end(input_tokens=12))["usage"] == {"input_tokens": 12}


def test_an_input_that_is_no_json_is_given_as_it_came() -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}}
    piece = {"type": "input_json_delta", "partial_json": '{"a": 1'}
    made = together(start(), block, {"type": "content_block_delta", "index": 0, "delta": piece})
    assert made["content"] == [{"type": "tool_use", "input": {"INVALID_JSON": '{"a": 1'}}]


def test_pieces_of_a_kind_we_do_not_know_are_put_together_by_their_fields() -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": None}}
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "compaction_delta", "content": text}}
        for text in ("so ", "far")
    ]
    assert together(start(), block, *pieces)["content"] == [{"type": "compaction", "content": "so far"}]
