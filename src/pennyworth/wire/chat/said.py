"""The text of a whole reply, for whoever wants to count it."""

from __future__ import annotations

from typing import Any

from pennyworth.wire import loose
from pennyworth.wire.chat import assembly

_NOT_TEXT = ("tool_calls", "function_call", "reasoning", "reasoning_content", "audio", "refusal", "thinking")


def text_of(raw: bytes, *, streamed: bool) -> str:
    """What all choices say; "" where one says anything but text, or the reply cannot be read."""
    try:
        body = assembly.assemble(raw) if streamed else loose.read(raw)
    except loose.UNREADABLE:
        return ""
    choices = body.get("choices") if isinstance(body, dict) else None
    texts = [_text(choice) for choice in choices] if isinstance(choices, list) else []
    return "\n".join(texts) if all(texts) else ""


def _text(choice: Any) -> str:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or any(message.get(name) for name in _NOT_TEXT):
        return ""
    content = message.get("content")
    return content if isinstance(content, str) else ""
