"""Embeddings in nouns: what is asked item by item, and the vector of each.

Nobody else speaks this dialect, so it is not translated; its nouns show that nothing of it is lost when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.nouns import Node
from pennyworth.wire.neutral.replies import Tokens


class Items(Node, frozen=True, kw_only=True):
    """A request. ``items``: texts, or lists of tokens; one for each vector. ``encoding``: ``float`` or ``base64``."""

    items: tuple[Any, ...]
    model: str | None = None
    dimensions: int | None = None
    encoding: str | None = None
    user: str | None = None


class Vector(Node, frozen=True, kw_only=True):
    """``value``: a list of numbers, or their bytes in base64."""

    index: int
    value: list[Any] | str


class Vectors(Node, frozen=True, kw_only=True):
    """A reply."""

    model: str
    vectors: tuple[Vector, ...]
    tokens: Tokens | None = None


def items_of(fields: Mapping[str, Any]) -> Items:
    rest = dict(fields)
    asked = rest.get("input")
    spelled: tuple[str, ...] = ()
    items: tuple[Any, ...] = ()
    if asked.__class__ is str or (asked.__class__ is list and asked and asked[0].__class__ is int):
        items, spelled = (rest.pop("input"),), ("one",)
    elif asked.__class__ is list:
        items = tuple(rest.pop("input"))
    else:
        spelled = ("none",)
    return Items(
        items=items,
        model=taken(rest, "model", str),
        dimensions=taken(rest, "dimensions", int),
        encoding=taken(rest, "encoding_format", str),
        user=taken(rest, "user", str),
        extra=rest,
        spelled=spelled,
    )


def fields_of(asked: Items) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if "none" not in asked.spelled:
        out["input"] = asked.items[0] if "one" in asked.spelled else list(asked.items)
    said = (
        ("model", asked.model),
        ("dimensions", asked.dimensions),
        ("encoding_format", asked.encoding),
        ("user", asked.user),
    )
    return with_extra(put(out, said), asked.extra)


def vectors_of(body: Mapping[str, Any]) -> Vectors | None:
    """``None`` if the body is no reply (an error, say)."""
    rest = dict(body)
    model, data = taken(rest, "model", str), taken(rest, "data", list)
    if model is None or data is None or taken(rest, "object", str) != "list":
        return None
    vectors = [_vector_of(one) for one in data]
    if None in vectors:
        return None
    found = tuple([vector for vector in vectors if vector is not None])
    return Vectors(model=model, vectors=found, tokens=_tokens_of(rest), extra=rest)


def body_of(reply: Vectors) -> dict[str, Any]:
    out: dict[str, Any] = {"object": "list", "model": reply.model}
    out["data"] = [
        with_extra({"object": "embedding", "index": vector.index, "embedding": vector.value}, vector.extra)
        for vector in reply.vectors
    ]
    if reply.tokens is not None:
        usage = {} if "no input" in reply.tokens.spelled else {"prompt_tokens": reply.tokens.input}
        out["usage"] = with_extra(put(usage, (("total_tokens", reply.tokens.total),)), reply.tokens.extra)
    return with_extra(out, reply.extra)


def _vector_of(one: Any) -> Vector | None:
    rest = dict(one) if one.__class__ is dict else {}
    index, value, kind = taken(rest, "index", int), taken(rest, "embedding", list, str), taken(rest, "object", str)
    if index is None or value is None or kind != "embedding":
        return None
    return Vector(index=index, value=value, extra=rest)


def _tokens_of(rest: dict[str, Any]) -> Tokens | None:
    """Voyage tells the total alone."""
    usage = rest.get("usage")
    left = dict(usage) if usage.__class__ is dict else {}
    asked, total = taken(left, "prompt_tokens", int), taken(left, "total_tokens", int)
    if asked is None and total is None:
        return None
    del rest["usage"]
    spelled = ("no input",) if asked is None else ()
    return Tokens(input=(total or 0) if asked is None else asked, output=0, total=total, extra=left, spelled=spelled)
