"""Records a chat reply while it passes: what it said about itself, how it ended, whether it may be believed.

``[DONE]`` proves nothing: a reply is complete when every choice has given a terminal reason, no error came, and the
body was ended by the provider. Malformed events pass on to the caller but the reply is never complete.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.money import Usage
from pennyworth.outcome import Ending, Outcome
from pennyworth.wire.sse import data_of
from pennyworth.wire.usage import read_usage

_ENDINGS: dict[str, Ending] = {
    "stop": "complete",
    "eos": "complete",  # Together
    "end_turn": "complete",
    "stop_sequence": "complete",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral
    "content_filter": "filtered",
    "tool_calls": "tools",
    "function_call": "tools",
}
_WORST_FIRST: tuple[Ending, ...] = ("error", "filtered", "length", "tools")


class _Function(msgspec.Struct):
    name: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None
    type: str | None = None


class _Message(msgspec.Struct):
    """A delta or a message: only what decisions ask about; the bytes keep the rest."""

    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_details: msgspec.Raw = msgspec.Raw(b"")
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    annotations: list[Any] | None = None
    audio: msgspec.Raw = msgspec.Raw(b"")

    def commits(self) -> bool:
        """Whether this is content, a tool call or reasoning: what makes a reply a reply."""
        return bool(
            self.content
            or self.reasoning
            or self.reasoning_content
            or self.tool_calls
            or self.refusal
            or self.function_call
            or self.audio
        )


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Body(msgspec.Struct):
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    x_groq: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(_Body)
_EMPTY = (b"", b"null")


class ChatRecorder:
    """Fed events of a stream (``feed``) or one whole JSON body (``feed_json``); ``outcome`` says what it was."""

    __slots__ = (
        "_choices",
        "_done",
        "_fault",
        "_finishes",
        "_model",
        "_refusal",
        "_searched",
        "_texts",
        "_tools",
        "_usage",
        "committed",
        "fingerprint",
    )

    def __init__(self) -> None:
        self.committed = False
        self.fingerprint = ""
        self._model = ""
        self._usage: Usage | None = None
        self._choices = 0
        self._finishes: dict[int, str] = {}
        self._texts: list[str] = []
        self._tools: list[str] = []
        self._refusal = False
        self._searched = False
        self._fault = ""
        self._done = False

    @property
    def done(self) -> bool:
        """The stream's terminal event has come."""
        return self._done

    def feed(self, event: bytes) -> None:
        data = data_of(event)
        if not data:
            return
        if self._done:
            self._fault = self._fault or "data after [DONE]"
        elif data == b"[DONE]":
            self._done = True
        else:
            self._read(data)

    def feed_json(self, body: bytes) -> None:
        self._read(body)

    def feed_rest(self, rest: bytes) -> None:
        """What was left when the body ended: a stream without its last blank line, or a JSON tail."""
        if rest.strip():
            self.feed(rest)
            if not data_of(rest):
                self._fault = self._fault or "trailing bytes that are no event"

    def _read(self, data: bytes) -> None:
        try:
            body = _DECODER.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._fault = self._fault or f"malformed reply: {error}"
            return
        if bytes(body.error) not in _EMPTY:
            self._fault = self._fault or "the provider sent an error"
        if body.model:
            self._model = body.model
        if body.system_fingerprint:
            self.fingerprint = body.system_fingerprint
        if body.usage and bytes(body.usage) != b"null":
            self._usage = read_usage(body.usage) or self._usage
        elif body.x_groq and self._usage is None:
            self._usage = _groq_usage(body.x_groq)
        for choice in body.choices or ():
            self._see(choice)

    def _see(self, choice: _Choice) -> None:
        self._choices = max(self._choices, choice.index + 1)
        if choice.finish_reason:
            self._finishes[choice.index] = choice.finish_reason
        message = choice.delta or choice.message
        if message is None:
            return
        if not self.committed and message.commits():
            self.committed = True
        if message.content or message.reasoning or message.reasoning_content:
            self._texts.append(_text(message.content) + _text(message.reasoning or message.reasoning_content))
        if message.tool_calls or message.function_call:
            self._see_tools(message)
        self._refusal = self._refusal or bool(message.refusal)
        self._searched = self._searched or bool(message.annotations)

    def _see_tools(self, message: _Message) -> None:
        functions = [call.function for call in message.tool_calls or ()] + [message.function_call]
        self._tools += [function.name for function in functions if function and function.name]

    def outcome(
        self, *, status: int, raw: bytes, streamed: bool, ended: bool, expected: int, fault: str = ""
    ) -> Outcome:
        """The record. ``ended``: the provider ended the body itself. ``expected``: how many choices were asked for."""
        fault = fault or self._fault
        ending = self._ending(status, ended=ended and not fault, expected=expected)
        if ending == "cut" and not fault:
            fault = "the reply broke off before every choice had ended"
        return Outcome(
            ending=ending,
            status=status,
            raw=raw,
            streamed=streamed,
            usage=self._usage,
            finishes=tuple(self._finishes.get(i, "") for i in range(max(self._choices, expected))),
            served_by=self._model,
            fingerprint=self.fingerprint,
            text="" if self._usage else "".join(self._texts),
            tools=tuple(self._tools),
            server_tools=self._searched,
            refusal=self._refusal,
            fault=fault,
        )

    def _ending(self, status: int, *, ended: bool, expected: int) -> Ending:
        if status >= 400:
            return "error"
        if self._fault == "the provider sent an error":
            return "error"
        if not ended or len(self._finishes) < max(self._choices, expected, 1):
            return "cut"
        endings = {_ENDINGS.get(reason, "error") for reason in self._finishes.values()}
        return next((worst for worst in _WORST_FIRST if worst in endings), "complete")


def _text(content: object) -> str:
    """The text of a content field: a string, or a list of parts (Mistral's thinking models)."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text") or part.get("thinking")) for part in content if isinstance(part, dict))
    return ""


class _Groq(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"")


def _groq_usage(raw: msgspec.Raw) -> Usage | None:
    """Groq puts a stream's usage under ``x_groq`` of the last chunk."""
    try:
        usage = msgspec.json.decode(raw, type=_Groq).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return read_usage(usage) if usage else None
