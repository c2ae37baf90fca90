"""What a stream says, in no dialect's words: the pieces that every reader makes and every writer says.

A reply is a row of *blocks*, opened, said and closed; several may be open at once. Its end is one piece, told only when
the stream has said all of it: whatever ends in the middle has no end here either.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from pennyworth.money import Usage

Kind = Literal["text", "thinking", "sealed", "refusal", "tool"]
"""Of a block. ``sealed``: thinking that nobody but its provider can read."""

Reason = Literal["complete", "length", "filtered", "tools"]
"""Why a reply ended, in the words of ``outcome.Ending``."""


class Began(msgspec.Struct, frozen=True, gc=False):
    """The reply's own name, its model, and when it was made (0: the provider does not say)."""

    id: str
    model: str
    created: int = 0


class Opened(msgspec.Struct, frozen=True, gc=False):
    """``id``, ``name``: of a tool call."""

    block: int
    kind: Kind
    id: str = ""
    name: str = ""


class Said(msgspec.Struct, frozen=True, gc=False):
    """More of a block: of its text, or of a tool call's arguments."""

    block: int
    text: str


class Signed(msgspec.Struct, frozen=True, gc=False):
    """A provider's proof that the thinking is its own, or what it sealed: to be handed back as it came.

    ``maker``: whose, in OpenRouter's words (``anthropic-claude-v1``), "" where nobody says it.
    """

    block: int
    signature: str
    maker: str = ""


class Closed(msgspec.Struct, frozen=True, gc=False):
    block: int


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The reply is whole. ``stop``: the stop sequence at which it ended, where the provider names it."""

    reason: Reason
    usage: Usage | None = None
    stop: str = ""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The provider says that it failed; nothing follows. ``kind``: its type of error."""

    kind: str
    message: str
    code: str = ""


Piece = Began | Opened | Said | Signed | Closed | Ended | Failed


class Reader(Protocol):
    """Reads one dialect's events. It raises nothing; what has no words here is passed over.

    ``finish``: the provider ended the body by itself, which in some dialects is what ends a reply.
    """

    def read(self, event: bytes) -> list[Piece]: ...

    def finish(self) -> list[Piece]: ...


class Writer(Protocol):
    """Says pieces in one dialect: whole events, ``b""`` where there is nothing to say yet."""

    def write(self, piece: Piece) -> bytes: ...
