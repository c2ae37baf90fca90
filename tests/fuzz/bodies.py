"""Trials of what reads a request's body and makes its key: never another reading than the standard library's, one
spelling as good as another, and two values never one key."""

from __future__ import annotations

import json
import random
from typing import Any

from pennyworth import canonical
from pennyworth.canonical import Lexeme
from pennyworth.errors import RequestError
from pennyworth.request import Caller
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.wire import chat, json_tree
from tests.fuzz.law import BrokenLawError, Case, Trial, mutated
from tests.wire.test_json_tree import APART

_SEEDS = (
    b'{"model":"m","messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"What?"}],"temperature":0}',
    '{"model":"m","messages":[{"role":"user","content":"流式"}],"stream":true,"metadata":{"trace":"t"}}'.encode(),
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\\u00e9\\ud83d\\ude00"}]}],"n":2,'
    b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":[1,-0.5e3,true,null]}}}]}',
    chat_json("a reply is no request"),
)
_BITS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"-0", b"1e999", b"NaN", b"-Infinity", b"9" * 400,
    b'"\\ud800"', b"\\u0000", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b'"model":', b'"n":3,', b"[" * 200,
    b'"a":1,"a":2,', b'"stream":true,', b'"stream_options":{"include_usage":1},', b'"user":[],', b'"api_base":"x",',
)  # fmt: skip
_CALLER = Caller("fuzz")
_NUMBERS = [value for row in APART for value in row if value[:1] in "-0123456789" and len(value) < 100]
_TEXTS = ("", "a", "é", "e\u0301", "你好", "\U0001f600", 'quote " and \\', "line\nbreak", "\u2028", "\x7f", "<>&")
_SPACES = ("", "", "", " ", "\n", "\t ", "\r\n")


def _body(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_SEEDS), _BITS),)


def _read(case: Case) -> str:
    """A mutated body is refused in words, or read as the standard library reads it."""
    (raw,) = case
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
    if form != plainly(tree.fields):
        raise BrokenLawError("encoded otherwise than by the plainest means", raw, form)
    if canonical.encode(json_tree.parse(form).fields) != form:
        raise BrokenLawError("the canonical form is not its own", raw, form)
    return "read"


def plainly(tree: Any) -> bytes:
    """The canonical form by the slowest and plainest means there are, which share nothing with the quick ones."""
    match tree:
        case dict():
            names = sorted(tree, key=lambda name: name.encode())
            return b"{" + b",".join(plainly(name) + b":" + plainly(tree[name]) for name in names) + b"}"
        case list():
            return b"[" + b",".join(map(plainly, tree)) + b"]"
        case Lexeme():
            return tree.lexeme.encode()
        case str():
            return b'"' + "".join(map(_character, tree)).encode() + b'"'
        case None | bool():
            return {None: b"null", True: b"true", False: b"false"}[tree]
        case _:
            return b"%d" % tree


def _character(one: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return short.get(one) or (f"\\u{ord(one):04x}" if ord(one) < 32 else one)


def _spellings(chance: random.Random) -> Case:
    """Two spellings of one value, and one of another."""
    tree = {"model": "m", "x": _tree(chance, 3)}
    other = {"model": "m", "x": _changed(chance, tree["x"])}
    return _spelt(chance, tree), _spelt(chance, tree), _spelt(chance, other), canonical.encode(tree)


def _keyed(case: Case) -> str:
    """However a body is spelt its key is the same; a body that says something else has another."""
    one, same, other, form = case
    first = _form(one)
    if _form(same) != first:
        raise BrokenLawError("another spelling gave another form", one, same)
    if first != form:
        raise BrokenLawError("reading it changed it", one, first)
    if _form(other) == first:
        raise BrokenLawError("two bodies, one form", one, other)
    return "kept apart"


PARSER = Trial(_body, _read)
KEY = Trial(_spellings, _keyed)


def _tree(chance: random.Random, depth: int) -> Any:
    match chance.randrange(6 if depth else 4):
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
