"""A batch of inputs taken apart: its items, and the same request for some of them only. Every byte that is not left out
reaches the provider as it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pennyworth.request import Request
from pennyworth.wire import edits

_RAWS = msgspec.json.Decoder(list[msgspec.Raw]).decode


def items_in(fields: Mapping[str, Any]) -> list[Any]:
    """What is to be embedded, one by one: texts, or lists of token numbers. The same whether it came alone or in a list."""
    value = fields["input"]
    return [value] if value.__class__ is str or value[0].__class__ is int else value


def subset(request: Request, places: Sequence[int]) -> Request:
    """The request for these of its items, in this order. Only ``input`` differs."""
    given, raws = request.fields["input"], _RAWS(edits.value_of(request.body, "input"))
    value = b"[%b]" % b",".join([bytes(raws[place]) for place in places])
    return msgspec.structs.replace(
        request,
        body=edits.with_field(request.body, "input", value),
        fields={**request.fields, "input": [given[place] for place in places]},
        n=len(places),
    )
