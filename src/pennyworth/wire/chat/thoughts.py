"""Chat completions: what a model thought, in the members that providers have added to a message for it.

``reasoning_content`` (DeepSeek) and ``reasoning`` (OpenRouter, Groq) hold text. ``reasoning_details`` (OpenRouter) holds
signatures and sealed thoughts too, to be sent back as they came: https://openrouter.ai/docs/use-cases/reasoning-tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.nouns import Thinking

TEXTS = ("reasoning_content", "reasoning")
DETAILS = "reasoning_details"


def thoughts_of(rest: dict[str, Any], at: str) -> tuple[tuple[Thinking, ...], tuple[str, ...]]:
    """The thoughts, taken out of ``rest``, and which members they stood in. A text that says something else stays."""
    thoughts = _from_details(rest, at)
    spelled = [DETAILS] if thoughts else []
    for name in TEXTS:
        text = rest.get(name)
        if text.__class__ is str and text and (not thoughts or text == _text(thoughts)):
            thoughts = thoughts or (Thinking(text=text, at=f"{at}.{name}"),)
            spelled.append(name)
            del rest[name]
    return thoughts, tuple(spelled)


def add_thoughts(out: dict[str, Any], thoughts: Sequence[Thinking], spelled: Sequence[str]) -> None:
    """Into a message. Those of another dialect as text, with the details if their maker is to know them again."""
    names: Sequence[str] = [name for name in (*TEXTS, DETAILS) if name in spelled]
    if not names:
        detailed = any(thought.signature or thought.sealed is not None or thought.id for thought in thoughts)
        names = [TEXTS[0]] * bool(_text(thoughts)) + [DETAILS] * detailed
    for name in names:
        out[name] = [_detail(thought, i) for i, thought in enumerate(thoughts)] if name == DETAILS else _text(thoughts)


def _text(thoughts: Sequence[Thinking]) -> str:
    return "".join([thought.text for thought in thoughts])


def _from_details(rest: dict[str, Any], at: str) -> tuple[Thinking, ...]:
    details = rest.get(DETAILS)
    if details.__class__ is not list or not details:
        return ()
    found = [_thought(detail, f"{at}.{DETAILS}[{i}]") for i, detail in enumerate(details)]
    if None in found:
        return ()
    del rest[DETAILS]
    return tuple([thought for thought in found if thought is not None])


_MEMBERS = {"reasoning.text": "text", "reasoning.summary": "summary", "reasoning.encrypted": "data"}


def _thought(detail: Any, at: str) -> Thinking | None:
    kind = detail.get("type") if detail.__class__ is dict else None
    if kind.__class__ is not str or kind not in _MEMBERS:
        return None
    left = {name: value for name, value in detail.items() if name != "type"}
    said = taken(left, _MEMBERS[kind], str)
    if said is None:
        return None
    sealed = said if kind == "reasoning.encrypted" else None
    return Thinking(
        text="" if sealed is not None else said,
        sealed=sealed,
        signature=taken(left, "signature", str),
        maker=taken(left, "format", str),
        id=taken(left, "id", str),
        at=at,
        extra=left,
        spelled=("details", "summary") if kind == "reasoning.summary" else ("details",),
    )


def _detail(thought: Thinking, index: int) -> dict[str, Any]:
    if thought.sealed is not None:
        out: dict[str, Any] = {"type": "reasoning.encrypted", "data": thought.sealed}
    elif "summary" in thought.spelled:
        out = {"type": "reasoning.summary", "summary": thought.text}
    else:
        out = {"type": "reasoning.text", "text": thought.text}
    if "details" not in thought.spelled:
        out["index"] = index
    put(out, (("signature", thought.signature), ("format", thought.maker), ("id", thought.id)))
    return with_extra(out, thought.extra)
