"""The most that a call can cost, before it is made: what a budget must hold for it.

A tokenizer that works on bytes makes no more tokens than there are bytes, and JSON writes no text in fewer bytes than it
has. So the body's own length bounds the tokens of all the texts in it, whatever the model; what providers frame messages
and tools with is added. Not bounded: what a provider adds by its own account (images and files behind a URL, a
conversation or a template that it remembers, what its own tools find, sound at its own rate, searches it charges by the
piece). What of a call lies beyond the bound is settled all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from pennyworth.decide import tokens
from pennyworth.decide.tariff import Tariff
from pennyworth.request import Dialect, Request

ASSUMED_OUTPUT = 4096
"""Tokens of one choice where the caller names no cap. Only a cap makes a budget exact."""

ASSUMED_FOR_RATES = 512
"""The same for tokens a minute: a rate is corrected by the next minute, so it need not be a bound."""

_CAPS: Mapping[Dialect, tuple[str, ...]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "messages": ("max_tokens",),
    "responses": ("max_output_tokens",),
}
"""The fields by which a caller caps the output."""

_LARGEST_CAP = 2**60
_SMALL, _BYTES_PER_TOKEN = 8192, 4
"""Near enough for a rate. A large body may hold images, whose bytes are no text, and is looked at."""

_PER_REQUEST, _PER_MESSAGE, _FOR_TOOLS = 32, 16, 1024
"""Above what any provider is known to frame a request, a message and a list of tools with (Anthropic's tools: 346). A tool
that only the provider describes is a list by itself (its computer: 735, its editor: 700)."""


_DESCRIBED = frozenset(("function", "input_schema", "parameters", "custom"))


class Need(msgspec.Struct, frozen=True):
    """Tokens of a call at most: ``into`` and ``out``. ``for_an_hour``: it may have its prompt cached for that long."""

    into: int
    out: int
    for_an_hour: bool = False


def bound(request: Request) -> Need:
    """No call for this request has more tokens, images and the like apart, if its output is capped."""
    fields = request.fields
    framed = 0 if request.dialect == "embeddings" else _turns(fields)
    into = len(request.body) + _PER_REQUEST + _PER_MESSAGE * framed
    if "tools" in fields or "functions" in fields:
        into += _FOR_TOOLS * (1 + _undescribed(fields.get("tools")))
    return Need(into, _output(request, ASSUMED_OUTPUT), _for_an_hour(request.body))


def about(request: Request) -> int:
    """Tokens a call will probably have, in and out: for rates."""
    size = len(request.body)
    into = size // _BYTES_PER_TOKEN if size <= _SMALL else tokens.estimate(request)
    return into + _output(request, ASSUMED_FOR_RATES)


def price(need: Need, tariff: Tariff) -> int:
    """Picodollars of the dearest usage within the bound, the premium of the provider's cache included."""
    return tariff.most(need.into, need.out, for_an_hour=need.for_an_hour).pico


def _for_an_hour(body: bytes) -> bool:
    """``"ttl": "1h"`` stands in it somewhere, or might, in letters that are escaped."""
    return b'"1h"' in body or b"\\u00" in body


def _undescribed(tools: object) -> int:
    if not isinstance(tools, list):
        return 0
    return sum(isinstance(tool, dict) and _DESCRIBED.isdisjoint(tool) for tool in tools)


def _output(request: Request, assumed: int) -> int:
    if request.dialect == "embeddings":
        return 0  # vectors, which are no tokens
    cap = _cap(request)
    return request.n * (assumed if cap is None else cap)


def _turns(fields: Mapping[str, Any]) -> int:
    """Messages, or the items of ``input``, which count as one where they are a text."""
    turns = fields.get("messages") or fields.get("input") or ()
    return len(turns) if isinstance(turns, list | tuple) else 1


def _cap(request: Request) -> int | None:
    """The larger where both fields stand: providers differ in which of them they heed. Nothing is no cap: some refuse
    it, to some it means that there is none. A field of another dialect is none either: it is not heeded."""
    cap = None
    for name in _CAPS.get(request.dialect, ()):
        value = request.fields.get(name)
        if value is not None and _is_count(value):
            cap = max(cap or 0, math.ceil(value))
    return cap


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LARGEST_CAP
