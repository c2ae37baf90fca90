"""Long random trials of what reads bytes from outside: the request parser, the SSE splitter, the canonical key.

Each trial holds a law, so that a wrong answer is found and not only a crash. The seed of the run is printed: the same
seed gives the same trials.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tests.door.test_fuzz import mutated
from tests.wire.test_json_tree import APART

from benchmarks.questions import body
from pennyworth import canonical
from pennyworth.canonical import Lexeme
from pennyworth.errors import RequestError
from pennyworth.request import Caller
from pennyworth.wire import chat, json_tree
from pennyworth.wire.sse import EventSplitter

_SEEDS = (
    body("What do you know about mutation?"),
    body("流式", stream=True, trace="t"),
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\\u00e9\\ud83d\\ude00"}]}],"n":2,'
    b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":[1,-0.5e3,true,null]}}}]}',
)
_BITS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"-0", b"1e999", b"NaN", b"-Infinity", b"9" * 400,
    b'"\\ud800"', b"\\u0000", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b'"model":', b'"n":3,', b"[" * 200,
    b'"a":1,"a":2,', b'"stream":true,',
)  # fmt: skip
_LINES = (b"data: x", b"data:", b"data: {}", b": ping", b"event: error", b"id: 1", b"", b"", b"\xff", b"data: [DONE]")
_ENDS = (b"\n", b"\n", b"\n", b"\r\n", b"\r")
_CALLER = Caller("fuzz")
_NUMBERS = [value for row in APART for value in row if value[:1] in "-0123456789" and len(value) < 100]
_TEXTS = ("", "a", "é", "e\u0301", "你好", "\U0001f600", 'quote " and \\', "line\nbreak", "\u2028", "\x7f", "<>&")
_SPACES = ("", "", "", " ", "\n", "\t ", "\r\n")


class BrokenLawError(AssertionError):
    """What must always hold did not, and the bytes that show it."""

    def __init__(self, law: str, *shown: bytes) -> None:
        super().__init__(f"{law}: {' / '.join(map(repr, shown))}")


def parser(chance: random.Random) -> str:
    """A mutated body is refused in words, or read as the standard library reads it."""
    raw = mutated(chance, chance.choice(_SEEDS), _BITS)
    try:
        chat.read_request(raw, {}, _CALLER)
        tree = json_tree.parse(raw)
    except RequestError:
        return "refused"
    if tree.unkeyed:
        return "read, without a key"
    if json.loads(raw) != tree.fields:
        raise BrokenLawError("read otherwise than the standard library does", raw)
    form = canonical.encode(tree.fields)
    if canonical.encode(json_tree.parse(form).fields) != form:
        raise BrokenLawError("the canonical form is not its own", raw, form)
    return "read"


def splitter(chance: random.Random) -> str:
    """Any cut of a stream gives the same events, and no byte is lost."""
    raw = b"".join(chance.choice(_LINES) + chance.choice(_ENDS) for _ in range(chance.randrange(30)))
    raw += chance.choice(_LINES)
    whole, rest = _events([raw])
    pieces = _cut(chance, raw)
    if b"".join(whole) + rest != raw:
        raise BrokenLawError("bytes were lost", raw)
    if _events(pieces) != (whole, rest):
        raise BrokenLawError("another cut gave other events", *pieces)
    return "no event" if not whole else "one event" if len(whole) == 1 else "several events"


def key(chance: random.Random) -> str:
    """However a body is spelt its key is the same; a body that says something else has another."""
    tree = {"model": "m", "x": _tree(chance, 3)}
    first = _form(_spelt(chance, tree))
    if _form(_spelt(chance, tree)) != first:
        raise BrokenLawError("another spelling gave another form", first)
    if first != canonical.encode(tree):
        raise BrokenLawError("reading it changed it", first)
    other = {"model": "m", "x": _changed(chance, tree["x"])}
    if _form(_spelt(chance, other)) == first:
        raise BrokenLawError("two bodies, one form", first)
    return "kept apart"


TRIALS: Mapping[str, Callable[[random.Random], str]] = MappingProxyType(
    {"request parser": parser, "SSE splitter": splitter, "canonical key": key}
)


def tried(trial: Callable[[random.Random], str], chance: random.Random, count: int) -> Counter[str]:
    """So many trials, by how they ended. Raises ``BrokenLawError``."""
    return Counter(trial(chance) for _ in range(count))


def _events(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    found = EventSplitter()
    return [event for piece in pieces for event in found.feed(piece)], found.rest


def _cut(chance: random.Random, raw: bytes) -> list[bytes]:
    places = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.choice((1, 2, 5, 40))))
    return [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]


def _tree(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(6 if depth else 4)
    match kind:
        case 0:
            return _number(chance.choice(_NUMBERS))
        case 1:
            return chance.choice((True, False, None))
        case 2 | 3:
            return chance.choice(_TEXTS)
        case 4:
            return [_tree(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            return {
                chance.choice(_TEXTS) + str(place): _tree(chance, depth - 1) for place in range(chance.randrange(4))
            }


def _number(lexeme: str) -> int | Lexeme:
    whole = lexeme.removeprefix("-").isdigit() and lexeme != "-0"
    return int(lexeme) if whole else Lexeme(lexeme)


def _changed(chance: random.Random, tree: Any) -> Any:
    """Another tree: one value somewhere is another, or there is one more."""
    if isinstance(tree, dict) and tree:
        name = chance.choice(list(tree))
        return {**tree, name: _changed(chance, tree[name])} if chance.random() < 0.8 else {**tree, "more": None}
    if isinstance(tree, list) and tree:
        place = chance.randrange(len(tree))
        return [*tree[:place], _changed(chance, tree[place]), *tree[place + 1 :]]
    return [tree]


def _form(raw: bytes) -> bytes:
    tree = json_tree.parse(raw)
    if tree.unkeyed:
        raise BrokenLawError(f"a sound body was refused a key ({tree.unkeyed})", raw)
    return canonical.encode(tree.fields)


def _spelt(chance: random.Random, tree: Any) -> bytes:
    return _spell(chance, tree).encode()


def _spell(chance: random.Random, tree: Any) -> str:
    """The tree as JSON with members in any order, spaces anywhere, and characters escaped or not."""
    space = chance.choice(_SPACES)
    match tree:
        case dict():
            members = list(tree.items())
            chance.shuffle(members)
            inner = [f"{space}{_text(chance, name)}{space}:{_spell(chance, value)}" for name, value in members]
            return f"{space}{{{','.join(inner)}{space}}}"
        case list():
            return f"{space}[{','.join(_spell(chance, value) for value in tree)}]{space}"
        case str():
            return f"{space}{_text(chance, tree)}{space}"
        case Lexeme():
            return f"{space}{tree.lexeme}{space}"
        case _:
            return space + json.dumps(tree)


def _text(chance: random.Random, text: str) -> str:
    return json.dumps(text, ensure_ascii=chance.random() < 0.3)
