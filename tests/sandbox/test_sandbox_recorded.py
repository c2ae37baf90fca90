"""The simulator's replies have the fields of recorded ones, in their order: OpenAI's, of August 2025 and July 2026."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

RECORDED_CHUNK = (
    '{"id":"chatcmpl-C2P2HtMJhPkWjQ2adKerkdVilXmRL","object":"chat.completion.chunk","created":1754688929,'
    '"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_07871e2ad8","choices":[{"index":0,'
    '"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,'
    '"obfuscation":"oouykO51ovJROe"}'
)
RECORDED_LAST = (
    '{"id":"chatcmpl-C2P2HtMJhPkWjQ2adKerkdVilXmRL","object":"chat.completion.chunk","created":1754688929,'
    '"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_07871e2ad8","choices":[],"usage":'
    '{"prompt_tokens":14,"completion_tokens":8,"total_tokens":22,"prompt_tokens_details":{"cached_tokens":0,'
    '"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":""}'
)
RECORDED_JSON = (
    '{"id":"chatcmpl-Dyln7ehi3fmYmt60yiHy9atNvwXc6","object":"chat.completion","created":1783375761,'
    '"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"OK","refusal":null,'
    '"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":64,"completion_tokens":1,'
    '"total_tokens":65,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":'
    '{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
    '"service_tier":"default","system_fingerprint":"fp_0a0219177f"}'
)
RECORDED_CALL = (
    '{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_Vz0Sie91Ap56nH0ThKGrZXT7",'
    '"type":"function","function":{"name":"get_weather","arguments":""}}],"refusal":null}'
)
RECORDED_ERROR = (
    '{"error":{"message":"The model `non-existent-model` does not exist or you do not have access to it.",'
    '"type":"invalid_request_error","param":null,"code":"model_not_found"}}'
)


def shape(value: Any) -> Any:
    """The names of all fields in order, and the kinds of all values."""
    if isinstance(value, dict):
        return [(name, shape(part)) for name, part in value.items()]
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__


def post(url: str, **more: Any) -> bytes:
    fields = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], **more}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(fields).encode(), {"authorization": "Bearer k"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


@pytest.mark.parametrize(("place", "recorded"), [(0, RECORDED_CHUNK), (-2, RECORDED_LAST)])
def test_a_chunk_is_shaped_like_a_recorded_one(sandbox, place, recorded):
    raw = post(sandbox.url, stream=True, stream_options={"include_usage": True}).decode()
    events = [event.removeprefix("data: ") for event in raw.split("\n\n") if event]
    assert shape(json.loads(events[place])) == shape(json.loads(recorded))


def test_a_json_reply_is_shaped_like_a_recorded_one(sandbox):
    assert shape(json.loads(post(sandbox.url))) == shape(json.loads(RECORDED_JSON))


def test_the_start_of_a_streamed_tool_call_is_shaped_like_a_recorded_one(sandbox):
    first = post(sandbox.url, stream=True, messages=[{"role": "user", "content": "FAULT:tool_calls"}])
    delta = json.loads(first.split(b"\n\n")[0].removeprefix(b"data: "))["choices"][0]["delta"]
    assert shape(delta) == shape(json.loads(RECORDED_CALL))


def test_an_error_is_shaped_like_a_recorded_one(sandbox):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(sandbox.url, model="non-existent-model")
    assert json.loads(caught.value.read()) == json.loads(RECORDED_ERROR)


def test_padding_comes_unless_the_request_declines_it(sandbox):
    assert b"obfuscation" in post(sandbox.url, stream=True)
    assert b"obfuscation" not in post(sandbox.url, stream=True, stream_options={"include_obfuscation": False})
