"""One item of a response as the events by which OpenAI streams it: opened, said, said again as a whole, closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Told = tuple[str, dict[str, Any]]
"""An event's type, and what it says."""


def objects(found: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a list and their places; nothing of anything else."""
    for place, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield place, item


def unfold(item: dict[str, Any], place: int) -> Iterator[Told]:
    """``place``: of the item in the output."""
    where = {"item_id": item.get("id", ""), "output_index": place}
    yield "response.output_item.added", {"item": _opened(item), "output_index": place}
    match item.get("type"):
        case "message":
            yield from _content(item, where)
        case "reasoning":
            yield from _summary(item, where)
            yield from _content(item, where)
        case "function_call":
            yield from _argued(item, where, "function_call_arguments", "arguments")
        case "custom_tool_call":
            yield from _argued(item, where, "custom_tool_call_input", "input")
    yield "response.output_item.done", {"item": item, "output_index": place}


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    """The item with nothing in it yet."""
    opened = dict(item)
    if isinstance(item.get("status"), str):
        opened["status"] = "in_progress"
    for name in ("content", "summary"):
        if isinstance(item.get(name), list):
            opened[name] = []
    for name in ("arguments", "input"):
        if isinstance(item.get(name), str):
            opened[name] = ""
    return opened


def _content(item: dict[str, Any], where: dict[str, Any]) -> Iterator[Told]:
    for index, part in objects(item.get("content")):
        yield from _part(part, {"content_index": index, **where})


def _part(part: dict[str, Any], at: dict[str, Any]) -> Iterator[Told]:
    empty = {"text": "", "refusal": "", "annotations": [], "logprobs": []}
    yield "response.content_part.added", {**at, "part": {name: empty.get(name, part[name]) for name in part}}
    match part.get("type"):
        case "output_text":
            yield from _output_text(part, at)
        case "refusal":
            yield from _said("refusal", part.get("refusal", ""), at, whole="refusal")
        case "reasoning_text":
            yield from _said("reasoning_text", part.get("text", ""), at)
    yield "response.content_part.done", {**at, "part": part}


def _output_text(part: dict[str, Any], at: dict[str, Any]) -> Iterator[Told]:
    text, logprobs = part.get("text", ""), part.get("logprobs") or []
    if text:
        yield "response.output_text.delta", {**at, "delta": text, "logprobs": logprobs}
    for index, annotation in objects(part.get("annotations")):
        quoted = {"annotation": annotation, "annotation_index": index}
        yield "response.output_text.annotation.added", {**at, **quoted}
    yield "response.output_text.done", {**at, "logprobs": logprobs, "text": text}


def _summary(item: dict[str, Any], where: dict[str, Any]) -> Iterator[Told]:
    for index, part in objects(item.get("summary")):
        at = {**where, "summary_index": index}
        yield "response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}}
        yield from _said("reasoning_summary_text", part.get("text", ""), at)
        yield "response.reasoning_summary_part.done", {**at, "part": part}


def _argued(item: dict[str, Any], where: dict[str, Any], kind: str, field: str) -> Iterator[Told]:
    if isinstance(item.get(field), str):
        yield from _said(kind, item[field], where, whole=field)


def _said(kind: str, text: str, at: dict[str, Any], *, whole: str = "text") -> Iterator[Told]:
    """A text in one piece, then as a whole. ``whole``: the field by which the latter goes."""
    if text:
        yield f"response.{kind}.delta", {**at, "delta": text}
    yield f"response.{kind}.done", {**at, whole: text}
