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
            tool = _tool(ask.fields)
            return Choice(index, "tool_calls", _arguments(text, tool), "tool_calls", str(tool.get("name", "sandbox")))
        case "refusal":
            return Choice(index, "refusal", _pieces(watermark, index, words, "refusal"), "stop")
        case _:
            return Choice(index, "content", _pieces(watermark, index, words, "answer"), "stop")


def _pieces(watermark: str, index: int, words: int, noun: str) -> list[Piece]:
    texts = opening(watermark, noun) + filler(watermark, index, words)
    texts.append(end_mark("".join(texts), watermark, index))
    return [(text, 1) for text in texts]


def _arguments(text: str, tool: dict[str, Any]) -> list[Piece]:
    """A JSON object that holds the whole answer, in three fragments as a provider streams them."""
    whole = msgspec.json.encode({_argument(tool): text}).decode()
    third = len(whole) // 3
    return [(part, max(len(part) // 6, 1)) for part in (whole[:third], whole[third : 2 * third], whole[2 * third :])]


def _argument(tool: dict[str, Any]) -> str:
    """The first text that the function requires, so that a framework can call it; else ``sandbox``."""
    schema = tool.get("parameters", tool.get("input_schema"))
    if isinstance(schema, dict) and isinstance(required := schema.get("required"), list):
        properties = schema.get("properties")
        for name in required:
            if isinstance(properties, dict) and properties.get(name, {}).get("type") == "string":
                return str(name)
    return "sandbox"


def _tool(fields: dict[str, Any]) -> dict[str, Any]:
    """The function the request insists on, else the first it offers."""
    forced, tools = fields.get("tool_choice"), fields.get("tools")
    first = tools[0] if isinstance(tools, list) and tools else {}
    wanted = _function(forced) or _function(first)
    offers = [_function(tool) for tool in tools] if isinstance(tools, list) else []
    return next((offer for offer in offers if offer.get("name") == wanted.get("name")), wanted)


def _function(offer: object) -> dict[str, Any]:
    """Chat wraps it, other dialects name it at once; a choice such as ``{"type": "any"}`` names none."""
    function = offer.get("function", offer) if isinstance(offer, dict) else None
    return function if isinstance(function, dict) and "name" in function else {}


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
