"""Is the model that a provider says answered another one than was asked?

Aliases and dated versions are no other model: ``gpt-4o`` is answered by ``gpt-4o-2024-08-06``, ``claude-sonnet-4.5`` by
``anthropic/claude-4.5-sonnet-20250929``. Names are read by their parts: family, version numbers, size. In doubt the answer
is no: a deployment or an adapter may be called anything.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_FAMILIES = {
    "gpt": "gpt",
    "chatgpt": "gpt",
    **dict.fromkeys(("o1", "o3", "o4"), "o"),
    **dict.fromkeys(("claude", "gemini", "gemma", "deepseek", "grok", "kimi", "glm", "phi", "yi"), ""),
    **dict.fromkeys(("qwen", "qwq", "qvq"), "qwen"),
    **dict.fromkeys(("llama", "codellama"), "llama"),
    **dict.fromkeys(("mistral", "ministral", "mixtral", "magistral", "codestral", "devstral", "pixtral"), ""),
    **dict.fromkeys(("command", "ernie", "doubao", "hunyuan", "minimax", "nova"), ""),
}
"""The first word of a family, and its name where that is another one."""

_SIZES = frozenset(
    [
        "mini",
        "nano",
        "lite",
        "flash",
        "haiku",
        "sonnet",
        "opus",
        "tiny",
        "small",
        "medium",
        "large",
        "pro",
        "ultra",
        "distill",
        "o",
    ]
)
"""Words that name another model. Where the asked name has no version (``deepseek-chat``), it says nothing of size either."""

_MODES = frozenset(
    ["turbo", "plus", "max", "chat", "reasoner", "coder", "instruct", "vision", "audio", "search", "realtime"]
)
"""Words that are often left out; they tell two models apart only where both names have some."""

_DATE = re.compile(r"\b(?:20\d\d[-.]?\d\d[-.]?\d\d|\d\d-20\d\d|2\d(?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])[0-3]\d|0\d\d)\b")
"""2024-08-06 and 20250929; 08-2024; 2411 (a year and a month); 0613 and 1106 (a month and a day); 001."""

_PART = re.compile(r"\d+(?:x\d+)?b\b|\d+|[a-z]+")
_O_SERIES = re.compile(r"\bo([134])\b")
_AZURE_35 = re.compile(r"\bgpt-35\b")


_LONGEST = 256


class _Parts(NamedTuple):
    families: frozenset[str]
    numbers: tuple[int, ...]
    sizes: frozenset[str]
    modes: frozenset[str]


def other_model(asked: str, said: str) -> bool:
    """Whether ``said`` is known to be another model than ``asked``."""
    if asked == said or not asked or not said:
        return False
    return _compared(asked[:_LONGEST], said[:_LONGEST])


@lru_cache(2048)
def _compared(asked: str, said: str) -> bool:
    mine, theirs = _read(asked), _read(said)
    if not mine.families or not theirs.families:
        return False
    if mine.families.isdisjoint(theirs.families):
        return True
    if mine.modes and theirs.modes and mine.modes.isdisjoint(theirs.modes):
        return True
    if not mine.numbers or not theirs.numbers:
        return bool(mine.sizes and theirs.sizes) and mine.sizes != theirs.sizes
    return mine.numbers != theirs.numbers or mine.sizes != theirs.sizes


def _read(name: str) -> _Parts:
    text = name.lower().rpartition("/")[2].partition(":")[0].replace("_", "-")
    text = _O_SERIES.sub(r"o\1 \1", _AZURE_35.sub("gpt-3-5", _DATE.sub(" ", text)))
    words: list[str] = []
    numbers: list[int] = []
    for word in re.split(r"[-.@\s]+", text):
        if word in _FAMILIES:
            words.append(word)
            continue
        for part in _PART.findall(word):
            if part.isdigit():
                numbers.append(int(part[:9]))
            else:
                words.append(part)
    families = frozenset(_FAMILIES[word] or word for word in words if word in _FAMILIES)
    sizes = frozenset(word for word in words if word in _SIZES or word[0].isdigit())
    return _Parts(families, tuple(numbers), sizes, _MODES & frozenset(words))
