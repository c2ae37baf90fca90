"""What an application makes of a reply, as simply as applications do it; it shares nothing with the gateway's reading."""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.simulation.history import Heard


class _Function(msgspec.Struct):
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    function: _Function = msgspec.field(default_factory=_Function)


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Reply(msgspec.Struct):
    id: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


_read = msgspec.json.Decoder(_Reply).decode


def hear(body: bytes, *, events: bool, whole: bool, choices: int) -> Heard:
    """``whole``: the HTTP message ended properly. ``choices``: so many were asked for.

    A stream is complete for its reader when ``[DONE]`` has come: the SDKs read no further.
    """
    heard = Heard(texts=[""] * choices, finishes=[""] * choices)
    tools: set[int] = set()
    done = whole
    for part in _events(body) if events else (body,):
        if part == b"[DONE]":
            done = True
            continue
        try:
            reply = _read(part)
        except msgspec.MsgspecError:
            heard.error = heard.error or "unreadable"
            continue
        _take(heard, reply, tools)
    for index in tools:
        heard.texts[index] = _argument(heard, heard.texts[index])
    heard.complete = done and not heard.error and all(heard.finishes)
    return heard


def _events(body: bytes) -> list[bytes]:
    return [event[6:] for event in body.split(b"\n\n") if event.startswith(b"data: ")]


def _take(heard: Heard, reply: _Reply, tools: set[int]) -> None:
    if reply.error is not None:
        heard.error = str(reply.error)[:80]
    if reply.id:
        if heard.id and heard.id != reply.id:
            heard.error = f"two replies in one: {heard.id} and {reply.id}"
        heard.id = reply.id
    if reply.usage is not None:
        heard.usage = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
    for choice in reply.choices:
        said = choice.delta or choice.message
        if said is not None and choice.index < len(heard.texts):
            text = said.content or said.refusal or ""
            for call in said.tool_calls or ():
                tools.add(choice.index)
                text += call.function.arguments
            heard.texts[choice.index] += text
        if choice.finish_reason and choice.index < len(heard.finishes):
            heard.finishes[choice.index] = choice.finish_reason


def _argument(heard: Heard, text: str) -> str:
    try:
        return str(msgspec.json.decode(text.encode())["sandbox"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        heard.error = heard.error or "half a tool call"
        return text
