"""OpenAI's Responses on the wire: the reply as JSON, and as the events of its stream. Shapes only, as recorded.

Fields and their order follow the recordings of 2025 and 2026, ``obfuscation`` and the echo of the request included.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.sandbox.answer import Answer, Choice
from pennyworth.sandbox.ask import SERVER_ERROR, Ask
from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.chat import Events, Head, Step

_PAD = "aB3dE6gH9jK2mN5p"
_ECHOED: tuple[tuple[str, Any], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("model", None),
    ("output", None),
    ("parallel_tool_calls", True),
    ("presence_penalty", 0.0),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("prompt_cache_retention", "in_memory"),
    ("reasoning", {"effort": None, "summary": None}),
    ("safety_identifier", None),
    ("service_tier", "default"),
    ("store", True),
    ("temperature", 1.0),
    ("text", {"format": {"type": "text"}, "verbosity": "medium"}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("usage", None),
    ("user", None),
    ("metadata", {}),
)
"""Fields of a response in their order, most of them said back from the request."""

_STATUS = {"length": "incomplete", "content_filter": "incomplete", None: "in_progress"}
_REASON = {"length": "max_output_tokens", "content_filter": "content_filter"}
_THOUGHT = "**Simulated thinking**"
_FILLED = ("content", "summary", "arguments")
_ERROR = b'event: error\ndata: {"type":"error",%s,"sequence_number":0}\n\n' % SERVER_ERROR[1:-1]
"""As OpenAI sends it: what its reference lays beside the type lies in an object ``error``."""


def response(head: Head, ask: Ask, answer: Answer, usage: Tokens | None) -> dict[str, Any]:
    """The whole of it; without ``usage`` where a fault withholds it."""
    (choice,) = answer.choices
    status, reason = _STATUS.get(choice.finish, "completed"), _REASON.get(choice.finish or "")
    done = {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": bool(ask.fields.get("background")),
        "completed_at": head.created if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": {"reason": reason} if reason else None,
    }
    echo = {name: ask.fields.get(name, usual) for name, usual in _ECHOED}
    said = {"model": head.model, "output": _output(head, ask, answer), "usage": usage and _usage(usage)}
    return {**done, **echo, **said, "service_tier": head.tier}


def queued(whole: dict[str, Any]) -> dict[str, Any]:
    """What is said at once of a response that is made in the background."""
    return {**whole, "status": "queued", "completed_at": None, "output": [], "usage": None}


def events(head: Head, ask: Ask, answer: Answer, whole: dict[str, Any]) -> Events:
    """The stream of a response. Its terminal event holds the usage and the end in one, so a fault leaves both out."""
    write = _Writer(padded=ask.padded)
    begun = {**whole, "status": "in_progress", "completed_at": None, "incomplete_details": None}
    begun |= {"output": [], "usage": None, "service_tier": "auto"}
    content = [write.step("response.created", response=begun), write.step("response.in_progress", response=begun)]
    finish: list[Step] = []
    for place, item in enumerate(whole["output"]):
        content += [*finish, *write.opening(item, place), *write.pieces(item, place, answer.choices[0])]
        finish = write.closing(item, place)
    end = write.step(f"response.{whole['status']}", response=whole)
    return Events(content, finish, [end], done=(), error=_ERROR)


class _Writer:
    """Writes events and numbers them."""

    def __init__(self, *, padded: bool) -> None:
        self._number = -1
        self._padded = padded

    def step(self, kind: str, tokens: int = 0, **said: Any) -> Step:
        self._number += 1
        fields = sorted({**said, "sequence_number": self._number}.items())
        data = msgspec.json.encode({"type": kind, **dict(fields)})
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), data), tokens

    def opening(self, item: dict[str, Any], place: int) -> list[Step]:
        blank = {name: [] if isinstance(item[name], list) else "" for name in _FILLED if name in item}
        blank |= {"status": "in_progress"} if "status" in item else {}
        steps = [self.step("response.output_item.added", item={**item, **blank}, output_index=place)]
        if item["type"] == "message":
            (part,) = item["content"]
            empty = {name: "" for name in ("text", "refusal") if name in part}
            steps.append(self.step("response.content_part.added", **_at(item, place), part={**part, **empty}))
        elif item.get("summary"):
            steps.append(self.step("response.reasoning_summary_part.added", **_at(item, place), part=_summary("")))
        return steps

    def pieces(self, item: dict[str, Any], place: int, choice: Choice) -> list[Step]:
        kind, at = _kind(item), _at(item, place)
        if item["type"] == "reasoning":
            return [self._delta(kind, _THOUGHT, 0, at)] if item["summary"] else []
        if kind == "output_text":
            at["logprobs"] = []
        return [self._delta(kind, text, tokens, at) for text, tokens in choice.pieces]

    def closing(self, item: dict[str, Any], place: int) -> list[Step]:
        steps = []
        at, kind = _at(item, place), _kind(item)
        if item["type"] == "message":
            (part,) = item["content"]
            text = {"text": part["text"], "logprobs": []} if "text" in part else {"refusal": part["refusal"]}
            steps.append(self.step(f"response.{kind}.done", **at, **text))
            steps.append(self.step("response.content_part.done", **at, part=part))
        elif item["type"] == "function_call":
            steps.append(self.step(f"response.{kind}.done", **at, arguments=item["arguments"]))
        elif item["summary"]:
            steps.append(self.step(f"response.{kind}.done", **at, text=_THOUGHT))
            steps.append(self.step("response.reasoning_summary_part.done", **at, part=item["summary"][0]))
        return [*steps, self.step("response.output_item.done", item=item, output_index=place)]

    def _delta(self, kind: str, text: str, tokens: int, at: dict[str, Any]) -> Step:
        pad = {"obfuscation": _PAD[len(text) % 16 :]} if self._padded else {}
        return self.step(f"response.{kind}.delta", tokens, **at, delta=text, **pad)


def _at(item: dict[str, Any], place: int) -> dict[str, Any]:
    """Where an event belongs."""
    inner = {"message": {"content_index": 0}, "reasoning": {"summary_index": 0}}
    return {**inner.get(item["type"], {}), "item_id": item["id"], "output_index": place}


def _kind(item: dict[str, Any]) -> str:
    """What the pieces of an item are called."""
    match item["type"]:
        case "reasoning":
            return "reasoning_summary_text"
        case "function_call":
            return "function_call_arguments"
    return "refusal" if item["content"][0]["type"] == "refusal" else "output_text"


def _output(head: Head, ask: Ask, answer: Answer) -> list[dict[str, Any]]:
    """What was thought, if the model thinks, then what was said or called, if there was room left for it."""
    (choice,) = answer.choices
    thought = [_reasoning(head, ask)] if answer.reasoning else []
    if choice.field == "tool_calls":
        return [*thought, _call(head, choice)]
    if not choice.pieces and thought:
        return thought
    part = {"type": "refusal", "refusal": choice.text} if choice.field == "refusal" else _text(choice.text)
    status = _STATUS.get(choice.finish, "completed")
    said = {"id": f"msg_{head.id}", "type": "message", "status": status, "content": [part], "role": "assistant"}
    return [*thought, said]


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _reasoning(head: Head, ask: Ask) -> dict[str, Any]:
    """Its text is nobody's to see; a summary comes where one was asked for, the whole encrypted likewise."""
    wanted = ask.fields.get("reasoning")
    summary = [_summary(_THOUGHT)] if isinstance(wanted, dict) and wanted.get("summary") else []
    item = {"id": f"rs_{head.id}", "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in (ask.fields.get("include") or ()):
        item["encrypted_content"] = f"gAAAAASimulated{head.id}"
    return item


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _call(head: Head, choice: Choice) -> dict[str, Any]:
    return {
        "id": f"fc_{head.id}",
        "type": "function_call",
        "status": "completed",
        "arguments": choice.text,
        "call_id": f"call_sandbox{choice.index}",
        "name": choice.tool,
    }


def _usage(usage: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
