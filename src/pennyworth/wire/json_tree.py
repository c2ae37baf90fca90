"""Reads a JSON body once, strictly, without losing what a key needs: number lexemes and oddities.

Two readings of one body must never differ between us and the provider, so what is ambiguous is refused (duplicate
top-level keys, bad UTF-8, too deep) or marked ``unkeyed``: forwarded byte for byte, but never given a cache key
(nested duplicates, integers beyond 18 digits, NaN, lone surrogates).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

import msgspec

from pennyworth.canonical import Lexeme
from pennyworth.errors import RequestError

_SAFE_DIGITS = 18


class Tree(msgspec.Struct, frozen=True):
    """A parsed body. ``unkeyed`` says why it must not have a key, or is empty."""

    fields: dict[str, Any]
    unkeyed: str = ""


class _OddError(ValueError):
    """The fast reading met something that needs the careful one."""


def parse(body: bytes, max_depth: int = 128) -> Tree:
    """The body as a tree.

    Raises:
        RequestError: not UTF-8, not JSON, not an object, duplicate top-level keys, or deeper than ``max_depth``.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _refuse(
            f"The body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}. Send JSON encoded as UTF-8."
        ) from None
    tree = _read(text)
    if not isinstance(tree.fields, dict):
        raise _refuse(
            f'The body is a JSON {_kind(tree.fields)}, not an object. Send an object such as {{"model": …, "messages": […]}}.'
        )
    if body.count(b"{") + body.count(b"[") > max_depth and _deeper(tree.fields, max_depth):
        raise _refuse(f"The body is nested deeper than {max_depth} levels. Flatten it.", "too_deep")
    if not tree.unkeyed and (b"\\u" in body) and _has_surrogate(text, tree.fields):
        return Tree(tree.fields, "a lone surrogate in a string")
    return tree


def _read(text: str) -> Tree:
    try:
        return Tree(_FAST.decode(text))
    except _OddError:
        return _read_carefully(text)
    except RecursionError:
        raise _refuse("The body is nested too deeply to read. Flatten it.", "too_deep") from None
    except ValueError as error:
        raise _not_json(error) from None


def _read_carefully(text: str) -> Tree:
    """Reads what the fast reading refused, and says what was odd; duplicate top-level keys are refused here."""
    odd: list[str] = []
    outermost: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = [name for name, times in Counter(name for name, _ in found).items() if times > 1]
        if outermost:
            odd.append(f"the key {outermost[0]!r} twice in one object")
        return dict(found)

    def integer(lexeme: str) -> float | int:
        if len(lexeme) > _SAFE_DIGITS:
            odd.append("an integer beyond 18 digits")
            return Lexeme(lexeme)
        return _integer(lexeme)

    def constant(name: str) -> float:
        odd.append(f"the number {name}")
        return float(name)

    decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_float=Lexeme, parse_int=integer, parse_constant=constant)
    try:
        fields = decoder.decode(text)
    except ValueError as error:
        raise _not_json(error) from None
    if outermost:  # the outermost object closes last
        name = outermost[0]
        raise RequestError(
            f"The key {name!r} stands twice in the body. Providers disagree on which one counts: send it once.",
            code="duplicate_key",
            param=name,
        )
    return Tree(fields, odd[0] if odd else "")


def _pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(found)
    if len(fields) != len(found):
        raise _OddError
    return fields


def _integer(lexeme: str) -> float | int:
    if len(lexeme) > _SAFE_DIGITS:
        raise _OddError
    return Lexeme(lexeme) if lexeme == "-0" else int(lexeme)


def _constant(_: str) -> NoReturn:
    raise _OddError


_FAST = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=Lexeme, parse_int=_integer, parse_constant=_constant)


def _deeper(root: Any, limit: int) -> bool:
    level = [root]
    for _ in range(limit + 1):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _has_surrogate(text: str, fields: dict[str, Any]) -> bool:
    if "\\ud" not in text and "\\uD" not in text:
        return False
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _kind(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def _not_json(error: ValueError) -> RequestError:
    where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return _refuse(f"The body is not valid JSON: {what}{where}. Check what your client sends.", "invalid_json")


def _refuse(message: str, code: str = "invalid_body") -> RequestError:
    return RequestError(message, code=code)
