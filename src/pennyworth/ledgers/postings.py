"""What the ledger adds up of a record, read from its line without the rest: half the time, and half the objects.

Strict all the same: the types bound what can be added up, and a line that is odd in any way is read as the whole record,
which decides (``lines.from_lines``). Of 400,000 lines spoilt at random 11 were taken here that the whole record's
types refuse; their sums were sound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from pennyworth.money import Basis
from pennyworth.outcome import AttemptNote, Ending, Layer, Served

MAX_TOKENS = 2**40
MAX_AT_S = 1e11
_MAX_PICO = 2**62
"""Amounts beyond are rare, and read with the whole record: msgspec bounds no larger integers."""

_Time = Annotated[float, msgspec.Meta(ge=0, lt=MAX_AT_S)]
_Tokens = Annotated[int, msgspec.Meta(gt=-MAX_TOKENS, lt=MAX_TOKENS)]
_Pico = Annotated[int, msgspec.Meta(gt=-_MAX_PICO, lt=_MAX_PICO)]


class Amount(msgspec.Struct, frozen=True, gc=False):
    pico: _Pico = 0


class Tokens(msgspec.Struct, frozen=True, gc=False):
    input: _Tokens = 0
    output: _Tokens = 0
    cached: _Tokens = 0


_NOTHING = Amount()


class Posting(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="receipt"):
    """Of a ``Receipt``, under the same names, what ``Tally`` and ``Facet`` are made of."""

    id: str
    at_s: _Time
    scope: str
    model: str
    route: str = ""
    served: Served
    ending: Ending
    status: int
    attempts: tuple[AttemptNote, ...] = ()
    usage: Tokens | None = None
    spent: Amount = _NOTHING
    basis: Basis = "none"
    would_have_cost: Amount = _NOTHING
    would_basis: Basis = "none"
    saved: dict[Layer, Amount] = {}
    own: Amount = _NOTHING
    client: str = ""
    team: str = ""
    parent: str = ""


class Opening(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="intent"):
    """Of an ``Intent``: what it must have, though only its id is needed."""

    id: str
    at_s: _Time
    scope: str
    model: str
    target: str
    estimate: Amount = _NOTHING
    basis: Basis = "estimated"


posting: Callable[[bytes], Posting | Opening] = msgspec.json.Decoder(Posting | Opening).decode
"""``msgspec.MsgspecError`` for a line that is no such record, or beyond the bounds."""
