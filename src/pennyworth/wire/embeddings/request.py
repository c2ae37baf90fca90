"""OpenAI embeddings: reads a request and says what a cache needs to know of it.

``input`` is looked at because each of its items is kept by itself; everything else is the provider's business and passes
through. ``Request.n`` is the number of items: as many vectors have to come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.plan import PLAIN, Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import json_tree
from pennyworth.wire.asking import end_user, read_asking
from pennyworth.wire.embeddings.items import items_in
from pennyworth.wire.fields import model_in, refuse_forbidden, wrong

PATH = "/embeddings"

_FIX = "a text, a list of texts, a list of token numbers or a list of such lists is needed"
_KNOWN = frozenset((str, list, dict))


def read_request(
    body: bytes, headers: Mapping[str, str], caller: Caller, *, vary: Iterable[str] = (), max_depth: int = 128
) -> Request:
    """The request in these bytes.

    Args:
        headers: lower-cased names.
        vary: names of headers that change answers.

    Raises:
        RequestError: malformed, ambiguous, or a field we act on has the wrong type.
    """
    tree = json_tree.parse(body, max_depth)
    fields = tree.fields
    refuse_forbidden(fields)
    model = model_in(fields, "text-embedding-3-small")
    _check(fields.get("input"))
    items = items_in(fields)
    asking = read_asking(headers, vary)
    return Request(
        dialect="embeddings",
        model=model,
        body=body,
        fields=fields,
        caller=caller,
        n=len(items),
        unkeyed=tree.unkeyed or _unkeyed(items),
        vary=asking.vary,
        directives=asking.directives,
        tags=asking.tags,
        end_user=end_user(fields.get("user"), headers),
        once=asking.once,
        timeout_s=asking.timeout_s,
    )


def question(request: Request) -> str:
    """None: what a vector is made of may say anything, and the vector does not go out of date for it."""
    return ""


def edits(request: Request, quirks: Quirks = PLAIN) -> tuple[Edit, ...]:
    """Fields that this provider would refuse are left out."""
    return tuple(
        [Edit(name, b"", "this provider refuses the field") for name in quirks.leave_out if name in request.fields]
    )


def _check(value: Any) -> None:
    if value.__class__ is str and value:
        return
    if value.__class__ is not list or not value:
        raise wrong("input", value, _FIX)
    tokens = value[0].__class__ is int
    for place, item in enumerate(value):
        if item.__class__ is not int if tokens else not _is_item(item):
            raise wrong(f"input[{place}]", item, "a list holds texts, or token numbers, or lists of token numbers")


def _is_item(item: Any) -> bool:
    """An object (a text and an image, at some providers) is for the provider to judge; ``_unkeyed`` keeps it from us."""
    if item.__class__ is list:
        return bool(item) and all(token.__class__ is int for token in item)
    return item.__class__ in _KNOWN


def _unkeyed(items: list[Any]) -> str:
    return "an item of the input is an object, which may point to something else" if dict in map(type, items) else ""
