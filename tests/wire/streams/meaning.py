"""What a stream means, whatever its dialect: by the plainest reading of its JSON, and by the official SDKs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import httpx2
from anthropic import Anthropic
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from pennyworth.request import Dialect

Usage = tuple[int, int, int, int, int]
"""Input, output, and of these: from the cache, into the cache, reasoning."""

STOPS = {
    "stop": "complete", "end_turn": "complete", "stop_sequence": "complete", "completed": "complete", "eos": "complete",
    "length": "length", "max_tokens": "length", "max_output_tokens": "length",
    "content_filter": "filtered", "refusal": "filtered",
    "tool_calls": "tools", "tool_use": "tools", "function_call": "tools",
}  # fmt: skip


class Meaning(NamedTuple):
    """``calls``: names and parsed arguments. ``sealed``: signatures, and thinking that only the provider can read."""

    text: str
    thinking: str
    refusal: str
    calls: tuple[tuple[str, str], ...]
    stop: str
    usage: Usage | None
    sealed: tuple[str, ...] = ()
    model: str = ""
    id: str = ""


def plainly(dialect: Dialect, raw: bytes) -> Meaning:
    """By hand, from the JSON of the events."""
    return _PLAIN[dialect](_data(raw))


def by_sdk(dialect: Dialect, raw: bytes) -> Meaning:
    """What the official SDK's own accumulator makes of it, over its own transport."""
    return _SDK[dialect](raw)


def arguments(text: str) -> str:
    """Canonical, so that two spellings compare equal; what is no JSON stays as it is."""
    try:
        return json.dumps(json.loads(text or "{}"), sort_keys=True)
    except ValueError:
        return text


def _data(raw: bytes) -> list[dict[str, Any]]:
    lines = [line[5:].strip() for line in raw.decode().split("\n") if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _plain_chat(chunks: list[dict[str, Any]]) -> Meaning:
    text = thinking = refusal = finish = ""
    usage: dict[str, Any] = {}
    calls: dict[int, list[str]] = {}
    details: list[dict[str, Any]] = []
    for chunk in chunks:
        usage = chunk.get("usage") or usage or (chunk.get("x_groq") or {}).get("usage") or {}
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            finish = choice.get("finish_reason") or finish
            parts = delta.get("content") or ""
            said: list[dict[str, Any]] = [{"text": parts}] if isinstance(parts, str) else parts
            for part in said:
                text += part.get("text") or ""
                thinking += "".join(one["text"] for one in part.get("thinking") or ())
            thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
            refusal += delta.get("refusal") or ""
            for call in delta.get("tool_calls") or ():
                known = calls.setdefault(call["index"], ["", ""])
                known[0] += call["function"].get("name") or ""
                known[1] += call["function"].get("arguments") or ""
            details += delta.get("reasoning_details") or ()
    return Meaning(
        text, thinking, refusal, tuple((name, arguments(said)) for name, said in calls.values()),
        "tools" if calls and STOPS[finish] == "complete" else STOPS[finish], _chat_usage(usage), _sealed(details),
        next((chunk["model"] for chunk in chunks if chunk.get("model")), ""),
        next((chunk["id"] for chunk in chunks if chunk.get("id")), ""),
    )  # fmt: skip


def _chat_usage(usage: dict[str, Any] | None) -> Usage | None:
    """Some count reasoning apart from the output: the total tells."""
    if not usage:
        return None
    into, out = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    out += max((usage.get("total_tokens") or 0) - into - out, 0)
    details, other = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    return into, out, cached, details.get("cache_write_tokens") or 0, other.get("reasoning_tokens") or 0


def _plain_messages(events: list[dict[str, Any]]) -> Meaning:
    counts: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    stop = ""
    for event in events:
        if event["type"] == "message_start":
            counts.update(event["message"]["usage"])
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = {"arguments": "", **event["content_block"]}
        elif event["type"] == "content_block_delta":
            for name, value in event["delta"].items():
                name = "arguments" if name == "partial_json" else name
                if isinstance(value, str) and name != "type":
                    blocks[event["index"]][name] = (blocks[event["index"]].get(name) or "") + value
        elif event["type"] == "message_delta":
            stop = event["delta"]["stop_reason"]
            counts.update({name: count for name, count in event["usage"].items() if count is not None})
    every = list(blocks.values())
    message = events[0]["message"]
    return Meaning(
        "".join(block["text"] for block in every if block["type"] == "text"),
        "".join(block["thinking"] for block in every if block["type"] == "thinking"), "",
        tuple((block["name"], arguments(block["arguments"])) for block in every if block["type"] == "tool_use"),
        STOPS[stop], _messages_usage(counts),
        _sealed(every),
        message["model"], message["id"],
    )  # fmt: skip


def _sealed(blocks: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(one for block in blocks if (one := block.get("signature") or block.get("data")))


def _messages_usage(counts: dict[str, Any]) -> Usage | None:
    read, written = counts.get("cache_read_input_tokens") or 0, counts.get("cache_creation_input_tokens") or 0
    thinking = (counts.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return (counts.get("input_tokens") or 0) + read + written, counts["output_tokens"], read, written, thinking


def _plain_responses(events: list[dict[str, Any]]) -> Meaning:
    """Thinking is sealed anew in the last event, so that the one of the item counts."""
    final = next(one["response"] for one in events if one["type"] in ("response.completed", "response.incomplete"))
    items = [one["item"] for one in events if one["type"] == "response.output_item.done"]
    sealed = tuple(item["encrypted_content"] for item in items if item.get("encrypted_content"))
    return _response(final)._replace(sealed=sealed)


def _response(response: dict[str, Any]) -> Meaning:
    output = response["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    reasoning = [item for item in output if item["type"] == "reasoning"]
    texts = ("".join(one["text"] for one in item.get("summary") or item.get("content") or ()) for item in reasoning)
    calls = tuple((item["name"], arguments(item["arguments"])) for item in output if item["type"] == "function_call")
    usage = response.get("usage")
    into, out = (usage[f"{side}_tokens_details"] or {} for side in ("input", "output")) if usage else ({}, {})
    status = (response.get("incomplete_details") or {}).get("reason") or response["status"]
    return Meaning(
        "".join(part["text"] for part in parts if part["type"] == "output_text"), "".join(texts),
        "".join(part["refusal"] for part in parts if part["type"] == "refusal"), calls,
        "tools" if calls and status == "completed" else STOPS[status],
        (usage["input_tokens"], usage["output_tokens"], into.get("cached_tokens") or 0,
         into.get("cache_write_tokens") or 0, out.get("reasoning_tokens") or 0) if usage else None,
        tuple(item["encrypted_content"] for item in reasoning if item.get("encrypted_content")),
        response["model"], response["id"],
    )  # fmt: skip


def _transport(raw: bytes) -> httpx2.Client:
    headers = {"content-type": "text/event-stream"}
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=raw)))


def _sdk_chat(raw: bytes) -> Meaning:
    client = OpenAI(api_key="k", base_url="http://there/v1", http_client=_transport(raw), max_retries=0)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in client.chat.completions.create(model="m", messages=[], stream=True):
        state.handle_chunk(chunk)
    body = state.current_completion_snapshot.to_dict()
    choice: dict[str, Any] = body["choices"][0]  # type: ignore[index]
    message = choice["message"]
    assert message["role"] == "assistant"
    calls = tuple(
        (one["function"]["name"], arguments(one["function"]["arguments"])) for one in message.get("tool_calls") or ()
    )
    details = message.get("reasoning_details") or ()
    return Meaning(
        message.get("content") or "", message.get("reasoning_content") or "", message.get("refusal") or "", calls,
        STOPS[choice["finish_reason"]], _chat_usage(body.get("usage")),  # type: ignore[arg-type]
        _sealed(details), str(body["model"]), str(body["id"]),
    )  # fmt: skip


def _sdk_messages(raw: bytes) -> Meaning:
    client = Anthropic(api_key="k", base_url="http://there", http_client=_transport(raw), max_retries=0)
    with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        body: dict[str, Any] = stream.get_final_message().to_dict()
    blocks = body["content"]
    return Meaning(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"), "",
        tuple((one["name"], json.dumps(one["input"], sort_keys=True)) for one in blocks if one["type"] == "tool_use"),
        STOPS[body["stop_reason"]], _messages_usage(body["usage"]),
        _sealed(blocks),
        body["model"], body["id"],
    )  # fmt: skip


def _sdk_responses(raw: bytes) -> Meaning:
    client = OpenAI(api_key="k", base_url="http://there/v1", http_client=_transport(raw), max_retries=0)
    final: Any = None
    numbers = []
    with client.responses.stream(model="m", input="hi") as stream:
        for event in stream:
            numbers.append(event.sequence_number)
            if event.type in ("response.completed", "response.incomplete"):
                final = event.response
    assert numbers == list(range(len(numbers)))
    return _response(final.to_dict())


_PLAIN: dict[Dialect, Callable[[list[dict[str, Any]]], Meaning]] = {
    "chat": _plain_chat, "messages": _plain_messages, "responses": _plain_responses,
}  # fmt: skip
_SDK: dict[Dialect, Callable[[bytes], Meaning]] = {
    "chat": _sdk_chat, "messages": _sdk_messages, "responses": _sdk_responses,
}  # fmt: skip


def pieces(raw: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The bytes, cut at these places."""
    edges = [0, *sorted({min(cut, len(raw)) for cut in cuts}), len(raw)]
    return [raw[start:end] for start, end in itertools.pairwise(edges)]
