"""OpenAI chat completion chunks, and those of its imitators, as pieces.

The end is told at ``[DONE]``, since the usage comes after the reason; or at the end of the body, since some servers
(llama-box, older TGI) send no ``[DONE]``. Of several choices only the first can be said in another dialect.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pennyworth.wire.chat.body import ENDINGS, PIECE
from pennyworth.wire.chat.usage import read_usage
from pennyworth.wire.streams.blocks import Blocks
from pennyworth.wire.streams.events import data_of, decoded, made_at
from pennyworth.wire.streams.failures import failed, says_error, unheard_of, unreadable, unsayable
from pennyworth.wire.streams.pieces import Began, Ended, Failed, Kind, Piece, Reason, Said

_NULL_LENGTH = len(b"null")
_REASONS: dict[str, Reason] = {"complete": "complete", "length": "length", "filtered": "filtered", "tools": "tools"}


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Detail(msgspec.Struct, gc=False):
    """OpenRouter's ``reasoning_details``."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    signature: str | None = None
    data: str | None = None
    format: str | None = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[_Detail] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    audio: Any = None
    images: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Groq(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: str | None = None
    created: Any = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None
    x_groq: _Groq | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_FUNCTION_CALL = "function_call"


class ChatReader:
    """``spoken``: the place of the text, thinking or refusal that is being said; there is one at a time."""

    __slots__ = ("_began", "_blocks", "_calls", "_finish", "_ids", "_over", "_plain", "_spoken", "_told", "_usage")

    def __init__(self) -> None:
        self._began = False
        self._blocks = Blocks()
        self._spoken: Kind | None = None
        self._plain = -1
        self._ids: dict[Any, str] = {}
        self._calls = False
        self._told = False
        self._finish = ""
        self._usage = msgspec.Raw(b"")
        self._over = False

    def read(self, event: bytes) -> list[Piece]:
        # A mere piece of text, in a block that is open: nearly all of a stream.
        if self._plain >= 0 and event.startswith(b"data: {") and event.find(b"\n") == len(event) - 2:
            try:
                choice = PIECE(event[6:-2]).choices[0]
            except (ValueError, RecursionError):
                pass
            else:
                text = choice.delta.content
                return [Said(self._plain, text)] if text and choice.index == 0 else []
        data = b"" if self._over else data_of(event)
        if data.startswith(b"[DONE]"):
            return self.finish()
        if not data:
            return []
        chunk = decoded(_CHUNK, data)
        if says_error(event) or (chunk is not None and _has_error(chunk)):
            return self._fail(failed(data))
        return self._fail(unreadable()) if chunk is None else self._take(chunk)

    def finish(self) -> list[Piece]:
        """Without a reason for its end it has none: ``[DONE]`` alone proves nothing."""
        if self._over or not self._finish:
            return []
        self._over, self._plain = True, -1
        ending = ENDINGS.get(self._finish.lower(), "error")
        if ending not in _REASONS:
            return [unheard_of(self._finish)]
        # OpenAI ends a call forced by ``tool_choice`` with "stop".
        reason = "tools" if self._calls and ending == "complete" else _REASONS[ending]
        usage = read_usage(bytes(self._usage)) if len(self._usage) > _NULL_LENGTH else None
        return [*self._blocks.close_all(), Ended(reason, usage)]

    def _fail(self, why: Failed) -> list[Piece]:
        self._over, self._plain = True, -1
        return [why]

    def _take(self, chunk: _Chunk) -> list[Piece]:
        pieces: list[Piece] = []
        if not self._began and (chunk.id or chunk.choices):
            self._began = True
            pieces.append(_began(chunk))
        usage = chunk.usage
        if len(usage) <= _NULL_LENGTH and chunk.x_groq is not None and not self._usage:
            usage = chunk.x_groq.usage
        if len(usage) > _NULL_LENGTH:
            self._usage = usage
        for choice in chunk.choices or ():
            if choice.index == 0 and choice.delta is not None and (choice.delta.audio or choice.delta.images):
                return pieces + self._fail(unsayable("a sound" if choice.delta.audio else "an image"))
            if choice.index == 0:
                pieces += self._see(choice)
        return pieces

    def _see(self, choice: _Choice) -> list[Piece]:
        pieces = self._hear(choice.delta) if choice.delta is not None else []
        # A good end does not take back a bad one that was given before it.
        if choice.finish_reason and ENDINGS.get(self._finish.lower(), "complete") == "complete":
            self._finish = choice.finish_reason
        return pieces

    def _hear(self, delta: _Delta) -> list[Piece]:
        pieces: list[Piece] = []
        thought = delta.reasoning_content or delta.reasoning or ""
        if thought:
            self._told = True
            pieces += self._speak("thinking", thought)
        for detail in delta.reasoning_details or ():
            pieces += self._detail(detail)
        if delta.content:
            for kind, text in _said(delta.content):
                pieces += self._speak(kind, text)
        if delta.refusal:
            pieces += self._speak("refusal", delta.refusal)
        for place, call in enumerate(delta.tool_calls or ()):
            pieces += self._call(place if call.index is None else call.index, call.id or "", call.function)
        if delta.function_call is not None:
            pieces += self._call(_FUNCTION_CALL, "", delta.function_call)
        return pieces

    def _speak(self, kind: Kind, text: str) -> list[Piece]:
        pieces = self._turn_to(kind)
        return pieces + self._blocks.say("spoken", text)

    def _turn_to(self, kind: Kind | None) -> list[Piece]:
        """What was said so far is closed where something else is said now."""
        if kind == self._spoken:
            return []
        self._spoken = kind
        pieces = self._blocks.close("spoken") if kind is None else self._blocks.open("spoken", kind)
        self._plain = self._blocks.number("spoken") if kind == "text" else -1  # type: ignore[assignment]
        return pieces

    def _detail(self, detail: _Detail) -> list[Piece]:
        """Its text only where the delta does not say it plainly too; a signature ends the thinking it is about."""
        if detail.data:
            return self._turn_to(None) + self._blocks.seal(detail.data, detail.format or "")
        pieces: list[Piece] = []
        if not self._told and (detail.text or detail.summary):
            pieces += self._speak("thinking", detail.text or detail.summary or "")
        if detail.signature:
            signed = self._turn_to("thinking") + self._blocks.sign("spoken", detail.signature, detail.format or "")
            pieces += signed + self._turn_to(None)
        return pieces

    def _call(self, index: Any, id: str, function: _Function | None) -> list[Piece]:
        name = (function.name if function else "") or ""
        known = self._ids.get(index)
        pieces: list[Piece] = []
        # Another call may come with the same index: Gemini gives all of them 0.
        if known is None or (name and id and known and id != known):
            if not name:
                return []  # of a kind that has no name: nobody could answer it
            self._ids[index] = id or f"call_{len(self._ids)}"
            self._calls = True
            pieces += self._turn_to(None) + self._blocks.open(index, "tool", self._ids[index], name)
        return pieces + self._blocks.say(index, (function.arguments if function else "") or "")


def _has_error(chunk: _Chunk) -> bool:
    return chunk.error is not None or (chunk.x_groq is not None and chunk.x_groq.error is not None)


def _began(chunk: _Chunk) -> Began:
    return Began(str(chunk.id or ""), chunk.model or "", made_at(chunk.created))


def _said(content: Any) -> list[tuple[Kind, str]]:
    """A text, or a list of parts (Mistral's thinking models)."""
    if isinstance(content, str):
        return [("text", content)]
    found: list[tuple[Kind, str]] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            if isinstance(part.get("text"), str):
                found.append(("text", part["text"]))
            found += [("thinking", text) for _, text in _said(part.get("thinking"))]
    return found
