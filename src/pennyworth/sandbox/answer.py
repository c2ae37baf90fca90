"""What the simulator answers: meaningless words between two watermarks, or what the script asks for instead.

An answer is a pure function of the request, so the same question always has the same answer, whatever its temperature.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pennyworth.sandbox.ask import Ask
from pennyworth.sandbox.chance import draw
from pennyworth.sandbox.faults import Rule
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.watermark import end_mark, filler, opening

Piece = tuple[str, int]
"""A piece of an answer, and how many tokens it is; streamed as one event."""

_BLOCK = 4096


class Choice(msgspec.Struct, frozen=True):
    """One of the ``n`` answers. ``tool``: the name of the function it calls, with ``pieces`` as the arguments."""

    index: int
    field: Literal["content", "refusal", "tool_calls"]
    pieces: list[Piece]
    finish: str | None
    tool: str = ""

    @property
    def text(self) -> str:
        return "".join([text for text, _ in self.pieces])

    @property
    def tokens(self) -> int:
        return sum([tokens for _, tokens in self.pieces])


class Answer(msgspec.Struct, frozen=True):
    """All choices, and the tokens thought before them."""

    choices: list[Choice]
    reasoning: int

    @property
    def tokens(self) -> int:
        return self.reasoning + sum([choice.tokens for choice in self.choices])


def compose(ask: Ask, watermark: str, rule: Rule | None, settings: Settings) -> Answer:
    """The answer to a request, under the fault chosen for it."""
    thinks = settings.reasons(ask.model) if ask.thinks is None else ask.thinks
    reasoning = _between(settings.reasoning_tokens, watermark + ":reasoning") if thinks else 0
    reasoning = min(reasoning, ask.limit or reasoning)
    kind = rule.kind if rule else ""
    allowed = None if ask.limit is None or kind == "endless" else ask.limit - reasoning
    words = _between(settings.answer_words, watermark)
    if rule and (kind == "huge" or (kind == "gzip" and rule.size)):
        return Answer([_huge(i, watermark, rule.size or 10**6) for i in range(ask.n)], reasoning)
    choices = [_shorten(_choice(ask, i, watermark, words, kind), allowed) for i in range(ask.n)]
    return Answer([_ended(choice, kind) for choice in choices], reasoning)


def _between(bounds: tuple[int, int], key: str) -> int:
    least, most = bounds
    return least + int(draw(key) * (most - least + 1))


def _choice(ask: Ask, index: int, watermark: str, words: int, kind: str) -> Choice:
    match kind:
        case "tool_calls":
            text = "".join(text for text, _ in _pieces(watermark, index, words, "answer"))
            return Choice(index, "tool_calls", _arguments(text), "tool_calls", _tool_name(ask.fields))
        case "refusal":
            return Choice(index, "refusal", _pieces(watermark, index, words, "refusal"), "stop")
        case _:
            return Choice(index, "content", _pieces(watermark, index, words, "answer"), "stop")


def _pieces(watermark: str, index: int, words: int, noun: str) -> list[Piece]:
    texts = opening(watermark, noun) + filler(watermark, index, words)
    texts.append(end_mark("".join(texts), watermark, index))
    return [(text, 1) for text in texts]


def _arguments(text: str) -> list[Piece]:
    """A JSON object with the whole answer in ``sandbox``, in three fragments as a provider streams them."""
    whole = msgspec.json.encode({"sandbox": text}).decode()
    third = len(whole) // 3
    return [(part, max(len(part) // 6, 1)) for part in (whole[:third], whole[third : 2 * third], whole[2 * third :])]


def _tool_name(fields: dict[str, Any]) -> str:
    """The function the request insists on, else the first it offers."""
    forced, tools = fields.get("tool_choice"), fields.get("tools")
    named = isinstance(forced, dict) and (
        "function" in forced or "name" in forced
    )  # Anthropic's may be {"type": "any"}
    offer = forced if named else tools[0] if isinstance(tools, list) and tools else {}
    function = offer.get("function", offer) if isinstance(offer, dict) else None  # Responses names it at once
    return str(function.get("name", "sandbox")) if isinstance(function, dict) else "sandbox"


def _huge(index: int, watermark: str, size: int) -> Choice:
    """An answer of at least ``size`` characters, in large pieces. It does not heed the request's limit."""
    block = filler(watermark, index, _BLOCK)
    text = "".join(block)
    body = [text] * -(-size // len(text))
    start = opening(watermark)
    mark = end_mark("".join(start + body), watermark, index)
    return Choice(index, "content", [*((s, 1) for s in start), *((b, _BLOCK) for b in body), (mark, 1)], "stop")


def _shorten(choice: Choice, allowed: int | None) -> Choice:
    """Cut off at the request's limit, as a model is."""
    if allowed is None or choice.tokens <= allowed:
        return choice
    kept, left = [], allowed
    for text, tokens in choice.pieces:
        if tokens > left:
            break
        kept.append((text, tokens))
        left -= tokens
    return msgspec.structs.replace(choice, pieces=kept, finish="length")


def _ended(choice: Choice, kind: str) -> Choice:
    """With the terminal reason the script asks for."""
    if kind in ("length", "content_filter"):
        return msgspec.structs.replace(choice, pieces=choice.pieces[: len(choice.pieces) // 2], finish=kind)
    return msgspec.structs.replace(choice, finish=None) if kind == "done_without_finish" else choice
