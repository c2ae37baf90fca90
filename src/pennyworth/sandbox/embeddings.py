"""OpenAI's embeddings, simulated: what is refused, and unit vectors that prove whose text they are of.

A vector is a pure function of the text, the model, whatever else of the body may change it, and the tenant. Nothing in it
means anything: two texts that are alike have vectors that are not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from pennyworth.sandbox.ask import Ask, RefusedError, body_object
from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.chat import Head
from pennyworth.sandbox.tokens import split
from pennyworth.sandbox.watermark import UNMARKED, tenant_of

MOST_ITEMS = 2048
"""OpenAI's own limit."""

_LONGEST = {"text-embedding-3-large": 3072}
_USUAL = 1536
_UNLIKE = UNMARKED | {"input", "encoding_format"}
_NEAR = 1e-6


def read_ask(body: bytes) -> Ask:
    """The request in these bytes; raises ``RefusedError``."""
    fields = body_object(body)
    model = fields.get("model")
    if not isinstance(model, str):
        raise _refused("model", "you must provide a model parameter")
    items = items_of(fields)
    if not isinstance(items, list) or not 0 < len(items) <= MOST_ITEMS or not all(map(_is_item, items)):
        raise _refused("input", f"expected a text or up to {MOST_ITEMS} of them, or lists of token numbers, none empty")
    if fields.get("encoding_format") not in (None, "float", "base64"):
        raise _refused("encoding_format", "expected 'float' or 'base64'")
    dimensions, most = fields.get("dimensions"), _LONGEST.get(model, _USUAL)
    if dimensions is not None and (type(dimensions) is not int or not 1 <= dimensions <= most):
        raise _refused("dimensions", f"expected a value between 1 and {most}")
    return Ask(fields=fields, model=model, n=0, stream=False, wants_usage=False, padded=False, limit=None)


def items_of(fields: Mapping[str, Any]) -> Any:
    """What is to be embedded, one by one."""
    given = fields.get("input")
    alone = isinstance(given, str) or (isinstance(given, list) and given and type(given[0]) is int)
    return [given] if alone else given


def prompt_tokens(ask: Ask) -> list[str]:
    """Of all items together; a list of token numbers has as many as it holds."""
    return [
        token for item in items_of(ask.fields) for token in (split(item) if isinstance(item, str) else map(str, item))
    ]


def as_json(head: Head, ask: Ask, usage: Tokens | None) -> bytes:
    """The reply; without ``usage`` where a fault withholds it."""
    encoded = ask.fields.get("encoding_format") == "base64"
    data = []
    for index, item in enumerate(items_of(ask.fields)):
        vector = _vector(item, ask.fields, ask.tenant)
        shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if encoded else list(vector)
        data.append({"object": "embedding", "index": index, "embedding": shown})
    count = {"usage": {"prompt_tokens": usage.input, "total_tokens": usage.input}} if usage else {}
    return msgspec.json.encode({"object": "list", "data": data, "model": head.model, **count})


def expected_vector(item: Any, body: Mapping[str, Any], credential: str) -> tuple[float, ...]:
    """The one right vector of an item of this body, sent with this credential; its length is 1."""
    return _vector(item, body, tenant_of(credential))


def _vector(item: Any, body: Mapping[str, Any], tenant: str) -> tuple[float, ...]:
    fields = {name: value for name, value in body.items() if name not in _UNLIKE}
    message = msgspec.json.encode([item, fields], order="sorted")
    size = body.get("dimensions") or _LONGEST.get(str(body.get("model")), _USUAL)
    return _unit(hmac.digest(tenant.encode(), message, "sha256"), size)


def check_vector(given: Sequence[float] | str, item: Any, body: Mapping[str, Any], credential: str) -> str | None:
    """What is wrong with this vector of this item; ``None`` if nothing is. ``given``: numbers, or base64 of them."""
    numbers = _numbers(given) if isinstance(given, str) else given
    right = expected_vector(item, body, credential)
    if len(numbers) != len(right):
        return f"{len(numbers)} numbers, where {len(right)} are right"
    near = all(abs(one - other) < _NEAR for one, other in zip(numbers, right, strict=True))
    return None if near else "the vector of another text, model, tenant or request"


@lru_cache(4096)
def _unit(seed: bytes, size: int) -> tuple[float, ...]:
    numbers = struct.unpack(f"<{size}i", hashlib.shake_128(seed).digest(4 * size))
    length = math.sqrt(sum([number * number for number in numbers])) or 1.0
    return tuple([round(number / length, 9) for number in numbers])


def _numbers(encoded: str) -> Sequence[float]:
    raw = base64.b64decode(encoded)
    return struct.unpack(f"<{len(raw) // 4}f", raw)


def _is_item(item: Any) -> bool:
    if isinstance(item, list):
        return bool(item) and all(type(token) is int for token in item)
    return isinstance(item, str) and bool(item)


def _refused(param: str, words: str) -> RefusedError:
    return RefusedError(400, f"Invalid '{param}': {words}.", param=param)
