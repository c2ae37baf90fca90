"""Puts a recorded stream together as the ``chat.completion`` it amounts to.

By the rules of OpenAI's streaming API: texts concatenate, tool calls merge by index, what is said again replaces what
was said. What cannot be read is passed over: the recorder has judged the stream, this only renders it.
"""

from __future__ import annotations

from typing import Any

from pennyworth.wire import loose
from pennyworth.wire.sse import EventSplitter, data_of

_SAID_WHOLE = frozenset(("role", "id", "type", "name", "index", "format", "signature"))
"""Strings that are said once, or said again; every other string of a delta is a piece to append."""

_SAID_FIRST = frozenset(("id", "created", "model"))
"""What names the reply; Azure's filter events and Groq's usage come with others, or none."""

_PADDING = ("obfuscation", "p")
"""Random characters that hide the length of a chunk (OpenAI, Mistral)."""

_JOINED_PARTS = ("text", "thinking")
"""Content parts that come in pieces, one after the other, without an index (Mistral)."""


def events(raw: bytes) -> list[bytes]:
    """A recorded stream as events; a last one without its blank line included."""
    splitter = EventSplitter()
    found = splitter.feed(raw)
    if splitter.rest.strip():
        found.append(splitter.rest)
    return found


def assemble(raw: bytes) -> dict[str, Any]:
    """The completion; unknown fields are kept, the last one wins."""
    assembly = _Assembly()
    for one in events(raw):
        data = data_of(one)
        if not data or data.startswith(b"[DONE]"):
            continue
        try:
            chunk = loose.read(data)
            if isinstance(chunk, dict):
                assembly.add(chunk)
        except loose.UNREADABLE:
            continue
    return assembly.completion()


class _Pieces:
    """A text still arriving: joined once at the end, since adding to a string copies it each time."""

    __slots__ = ("parts",)

    def __init__(self, *parts: str) -> None:
        self.parts = list(parts)

    def __str__(self) -> str:
        return "".join(self.parts)


class _Assembly:
    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._open: list[tuple[dict[str, Any], str]] = []

    def add(self, chunk: dict[str, Any]) -> None:
        choices = chunk.pop("choices", None)
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    self._add_choice(choice)
        body = self._body
        for name, value in chunk.items():
            if name not in body or (value and not (name in _SAID_FIRST and body[name])):
                body[name] = value

    def completion(self) -> dict[str, Any]:
        for into, name in self._open:
            into[name] = str(into[name]) if isinstance(into[name], _Pieces) else into[name]
        for name in _PADDING:
            self._body.pop(name, None)
        self._body["object"] = "chat.completion"
        self._body["choices"] = [_finished(self._choices[index]) for index in sorted(self._choices)]
        return self._body

    def _add_choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        into = self._choices.get(index)
        if into is None:
            into = self._choices[index] = {"index": index, "message": {}}
        for name, value in choice.items():
            if name == "delta":
                if isinstance(value, dict):
                    self._merge(into["message"], value)
            elif name == "message":  # MiniMax says the whole of it again at the end
                into["message"].update(value if isinstance(value, dict) else {})
            elif name not in into or into[name] is None:
                into[name] = value
            elif value and name != "index":
                self._say_again(into, name, value)

    def _say_again(self, into: dict[str, Any], name: str, value: Any) -> None:
        """Beside the delta, log probabilities add up; other objects (Azure's filter results) count by their parts."""
        old = into[name]
        if not (isinstance(value, dict) and isinstance(old, dict)):
            into[name] = value
        elif name == "logprobs":
            self._merge(old, value)
        else:
            old.update(value)

    def _merge(self, into: dict[str, Any], delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            old = into.get(name)
            if old is None:
                into[name] = self._extend([], value) if isinstance(value, list) else value
            elif isinstance(value, str) and isinstance(old, str | _Pieces):
                self._append(into, name, old, value)
            elif isinstance(old, list) and isinstance(value, list | str):
                self._extend(old, value)
            elif isinstance(value, list) and isinstance(old, str | _Pieces):
                into[name] = self._extend(_parts(str(old)), value)
            elif isinstance(old, dict) and isinstance(value, dict):
                self._merge(old, value)
            elif value is not None:
                into[name] = value

    def _append(self, into: dict[str, Any], name: str, old: str | _Pieces, value: str) -> None:
        if isinstance(old, _Pieces):
            old.parts.append(value)
        elif name in _SAID_WHOLE:
            into[name] = old or value
        elif not old:
            into[name] = value
        elif value:
            into[name] = _Pieces(old, value)
            self._open.append((into, name))

    def _extend(self, old: list[Any], new: list[Any] | str) -> list[Any]:
        """An item that goes on with one already there is merged with it; all others are appended."""
        for item in _parts(new) if isinstance(new, str) else new:
            known = _begun(old, item) if isinstance(item, dict) else None
            if known is None:
                old.append(item)
            else:
                self._merge(known, item)
        return old


def _parts(text: str) -> list[Any]:
    """Mistral's thinking models send the content first as a list of parts, then as strings."""
    return [{"type": "text", "text": text}] if text else []


def _begun(old: list[Any], item: dict[str, Any]) -> dict[str, Any] | None:
    """The item that this one goes on with."""
    if "index" in item:
        return next((known for known in reversed(old) if isinstance(known, dict) and _goes_on(known, item)), None)
    last = old[-1] if old else None
    if isinstance(last, dict) and item.get("type") in _JOINED_PARTS and last.get("type") == item["type"]:
        return last
    return None


def _goes_on(known: dict[str, Any], item: dict[str, Any]) -> bool:
    """Same index, same type; and not another call, which some providers give the same index (Gemini: 0 for all)."""
    if known.get("index") != item["index"]:
        return False
    if known.get("type") and item.get("type") and known["type"] != item["type"]:
        return False
    function = item.get("function")
    begins = isinstance(function, dict) and function.get("name")
    return not (begins and known.get("id") and item.get("id") and known["id"] != item["id"])


def _finished(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    message.setdefault("role", "assistant")
    message.setdefault("content", None)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            call.pop("index", None)
    choice.setdefault("finish_reason", None)
    return choice
