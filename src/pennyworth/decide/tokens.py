"""About how many tokens a text or a request has, for when no provider says so: an intent, a broken stream, no ``usage``.

No vocabulary is needed. Every UTF-8 sequence begins with a byte that tells its script, so classes of characters and runs
of them can be counted in C, and each class costs about the same number of tokens in every large vocabulary. Weights are
fitted to recorded provider usage; docs/decisions/0005-prices.md has the method and the error on the rows held out. A
provider's own count is always better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.request import Request

_PER_WORD, _PER_LETTER = 0.79, 0.046
_PER_NUMBER, _PER_DIGIT = 0.64, 0.44
_PER_SIGN_RUN, _PER_SIGN = 0.68, 0.34
_PER_LINE_BREAK = 0.36
_PER_SCRIPT = (
    (b"e", 0.42),  # Latin letter with a mark, on top of its word: Vietnamese has two in a syllable, French one in ten
    (b"c", 0.74),  # CJK ideograph, kana, CJK punctuation
    (b"k", 0.65),  # Hangul syllable
    (b"y", 0.34),  # Cyrillic
    (b"g", 0.45),  # Greek, Armenian, Hebrew, Arabic
    (b"i", 0.55),  # Indic scripts, Thai, Lao, Khmer, Georgian, Ethiopic
    (b"s", 0.9),  # typographic quotes, dashes, arrows, full-width forms
    (b"m", 2.2),  # beyond the basic plane: emoji, rare ideographs
)

_SLICES, _SLICE = 8, 1024
"""A text longer than all slices together is judged by them, evenly spread: a long prompt must not hold up its own call."""

_PER_REQUEST, _PER_MESSAGE = 3, 4
_TOOLS, _TOOL_TEXT = 26, 0.35
"""OpenAI rewrites tool schemas into something shorter than their JSON; several others do not, and add a long preamble."""
_CLAUDE_TOOLS, _CLAUDE_TOOL_TEXT = 460, 1.0
"""Anthropic's own prompt for tools, with what frames each (its pricing page says 346 for the prompt alone), and the part of
their JSON that it reads: fitted to 66 recorded calls, of which half are within 18 %."""
_CLAUDE_THINKING, _CLAUDE_SCHEMA = 29, 150
"""What it adds, in its own words, where it is to think, and where a JSON schema is to be kept to (recorded calls)."""
_SCHEMA_TEXT = 0.6
_CLAUDE_IMAGE, _CLAUDE_PAGE = 1334, 2000
"""Anthropic's count for a 1000×1000 image, and about what a page of a PDF has (platform.claude.com)."""
_NOT_SAID = frozenset(("role", "type", "id", "call_id", "status", "phase", "execution", "encrypted_content"))
"""Strings of a turn that are not its text. What is encrypted has fewer tokens than letters; how many, nobody can tell."""
_IMAGE, _SMALL_IMAGE, _MEDIA = 765, 85, 250
"""OpenAI's count for a 1024×1024 image, for ``detail: low``, and our guess for sound and files: their bytes are no text."""


def estimate_tokens(text: str) -> int:
    """Tokens of a text, at least one if it is not empty."""
    if len(text) <= _SLICES * _SLICE:
        return max(1, round(_weigh(text))) if text else 0
    apart = (len(text) - _SLICE) // (_SLICES - 1)
    sample = sum(_weigh(text[at : at + _SLICE]) for at in range(0, apart * _SLICES, apart))
    return round(sample * len(text) / (_SLICES * _SLICE))


def estimate(request: Request) -> int:
    """Prompt tokens of a request, by what its dialect holds: turns, or things to be embedded."""
    if request.dialect == "embeddings":
        return _items(request.fields.get("input"))
    return estimate_request(request.fields)


def estimate_request(fields: Mapping[str, Any]) -> int:
    """Prompt tokens of a body of chat completions, Anthropic's Messages or Responses: the system prompt, the turns, what
    frames them, tools, and a JSON schema for the reply."""
    turns = _turns(fields)
    if turns is None:
        return 0
    total = _PER_REQUEST + _PER_MESSAGE * len(turns)
    texts: list[str] = []
    for turn in turns:
        if isinstance(turn, Mapping):
            total += _message(turn, texts)
    if system := fields.get("system"):
        total += _message({"content": system}, texts)
    total += estimate_tokens("\n".join(texts))
    for name in ("tools", "functions"):
        if tools := fields.get(name):
            total += _tools(tools)
    if (shape := _schema(fields)) is not None:
        total += round(estimate_tokens(_json(shape)) * _SCHEMA_TEXT)
    if isinstance(shape := fields.get("output_config"), Mapping) and "format" in shape:
        total += _CLAUDE_SCHEMA + round(estimate_tokens(_json(shape)) * _SCHEMA_TEXT)
    if isinstance(thinking := fields.get("thinking"), Mapping) and (
        "budget_tokens" in thinking or thinking.get("type") == "adaptive"  # Zhipu's has neither, and adds nothing
    ):
        total += _CLAUDE_THINKING
    return total


def _tools(tools: Any) -> int:
    text = estimate_tokens(_json(tools))
    if isinstance(tools, list) and any(isinstance(tool, Mapping) and "input_schema" in tool for tool in tools):
        return _CLAUDE_TOOLS + round(text * _CLAUDE_TOOL_TEXT)
    return _TOOLS + round(text * _TOOL_TEXT)


def estimate_item(item: object) -> int:
    """Tokens of one thing to be embedded: a text, or a list of token numbers, which are counted. At least one."""
    if isinstance(item, str):
        return max(1, estimate_tokens(item))
    return max(1, len(item)) if isinstance(item, list) else 1


def _items(given: object) -> int:
    if isinstance(given, str):
        return estimate_item(given)
    return sum(map(estimate_item, given)) if isinstance(given, list) else 0


def _weigh(text: str) -> float:
    classes = text.encode("utf-8", "surrogatepass").translate(_CLASS, _CONTINUATION)
    total = (
        len(classes.translate(_WORDS).split()) * _PER_WORD
        + classes.count(b"a") * _PER_LETTER
        + classes.count(b".") * _PER_SIGN
        + classes.count(b"n") * _PER_LINE_BREAK
        + len(classes.translate(_SIGNS).split()) * _PER_SIGN_RUN
    )
    if digits := classes.count(b"0"):
        total += digits * _PER_DIGIT + len(classes.translate(_DIGITS).split()) * _PER_NUMBER
    if not text.isascii():
        total += sum(classes.count(script) * weight for script, weight in _PER_SCRIPT)
    return total


def _turns(fields: Mapping[str, Any]) -> list[Any] | None:
    """Messages; or in Responses the instructions and the items of the input."""
    if isinstance(messages := fields.get("messages"), list):
        return messages
    said = fields.get("input")
    turns = said if isinstance(said, list) else [{"content": said}] if isinstance(said, str) else []
    instructions = fields.get("instructions")
    return [{"content": instructions}, *turns] if isinstance(instructions, str) else turns or None


def _schema(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of a reply that is to be JSON of some shape: ``response_format``, in Responses ``text.format``."""
    if isinstance(shape := fields.get("response_format"), Mapping) and "json_schema" in shape:
        return shape
    text = fields.get("text")
    shape = text.get("format") if isinstance(text, Mapping) else None
    return shape if isinstance(shape, Mapping) and "schema" in shape else None


def _message(message: Mapping[str, Any], texts: list[str]) -> int:
    """Collects a message's texts; returns the tokens of what is not text."""
    media = 0
    for name, value in message.items():
        if isinstance(value, str):
            if value and name not in _NOT_SAID:
                texts.append(value)
        elif name in ("content", "output") and isinstance(value, list):
            for part in value:
                media += _part(part, texts)
        elif name in ("tool_calls", "function_call"):
            texts.extend(_strings(value))
    return media


def _part(part: object, texts: list[str]) -> int:
    if not isinstance(part, Mapping):
        return 0
    if isinstance(text := part.get("text"), str):
        texts.append(text)
        return 0
    kind = part.get("type")
    if kind in ("tool_use", "tool_result", "document", "image", "thinking", "redacted_thinking"):
        return _block(kind, part, texts)
    image = part.get("image_url")
    if image is None:
        return _MEDIA
    shown = image if isinstance(image, Mapping) else part
    return _SMALL_IMAGE if shown.get("detail") == "low" else _IMAGE


def _block(kind: str, block: Mapping[str, Any], texts: list[str]) -> int:
    """Anthropic's blocks. What was thought in earlier turns is not read again, nor charged."""
    if kind == "tool_use":
        texts.append(str(block.get("name")))
        texts.append(_json(block.get("input")))
        return 0
    if kind == "tool_result":
        return _message({"content": block.get("content")}, texts)
    source = block.get("source")
    if kind == "document" and isinstance(source, Mapping) and source.get("type") in ("text", "content"):
        return _message({"content": source.get("data") or source.get("content")}, texts)
    return {"image": _CLAUDE_IMAGE, "document": _CLAUDE_PAGE}.get(kind, 0)


def _strings(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _strings(value)


def _json(tree: object) -> str:
    """About the text of a JSON value: right in length and punctuation, not in escapes."""
    if isinstance(tree, str):
        return f'"{tree}"'
    if isinstance(tree, Mapping):
        return "{" + ",".join(f'"{name}":{_json(value)}' for name, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(_json, tree)) + "]"
    return str(tree)


def _classes() -> bytes:
    """The class of a character by the first byte of its UTF-8 sequence; whatever is not listed is space."""
    table = bytearray(b" " * 256)
    for class_, members in {
        "a": [*range(0x41, 0x5B), *range(0x61, 0x7B)],
        "0": range(0x30, 0x3A),
        ".": [b for b in range(0x21, 0x7F) if not chr(b).isalnum()],
        "n": [0x0A],
        "e": [*range(0xC3, 0xCA), 0xCC, 0xE1],  # U+1E00 to U+1EFF, Vietnamese, begins with E1
        "y": [0xD0, 0xD1, 0xD2, 0xD3],
        "g": [0xCD, 0xCE, 0xCF, *range(0xD4, 0xDE)],
        "i": [0xE0],
        "s": [0xC2, 0xE2, 0xEF],
        "c": range(0xE3, 0xEA),
        "k": range(0xEA, 0xEE),
        "m": range(0xF0, 0xF5),
    }.items():
        for byte in members:
            table[byte] = ord(class_)
    return bytes(table)


def _only(classes: bytes) -> bytes:
    return bytes(byte if byte in classes else 0x20 for byte in range(256))


_CLASS = _classes()
_CONTINUATION = bytes(range(0x80, 0xC0))
_WORDS, _DIGITS, _SIGNS = _only(b"ae"), _only(b"0"), _only(b".")
