"""What a client heard in answer to one request, and whether it was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from pennyworth.demo.stream import Asking
from pennyworth.outcome import Receipt
from pennyworth.server.figures import HITS


class Reply(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How one request ended, as a client process tells it. Short: what two processes write into one pipe stays in one
    piece only up to 512 bytes everywhere (POSIX ``PIPE_BUF``).

    Attributes:
        number: of the asking.
        began_s, ended_s: on the machine's monotonic clock, the SDK's retries and their pauses included.
        finish: the terminal reason. ``failure``: the error that the SDK raised in the end.
        wrong: what is wrong with the answer; "" when every byte of it is right.
        reworded: it is the right answer to the same question typed differently.
    """

    number: int
    began_s: float
    ended_s: float
    receipt: str = ""
    finish: str = ""
    failure: str = ""
    wrong: str = ""
    reworded: bool = False
    retries: int = 0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the stream, and its end. ``served``: where the answer came from, by its receipt."""

    asking: Asking
    reply: Reply
    served: str = ""
    wrong: str = ""

    @property
    def ms(self) -> float:
        return (self.reply.ended_s - self.reply.began_s) * 1000

    @property
    def hit(self) -> bool:
        return self.served in HITS

    @property
    def kept(self) -> bool:
        """Whether its answer may have been kept, if its question is of a kind that is."""
        return not self.reply.failure and self.reply.finish == "stop"


def with_receipts(stream: Sequence[Asking], replies: Sequence[Reply], receipts: Mapping[str, Receipt]) -> list[Heard]:
    """Each with what its receipt says. A reply without one is wrong, and so is a reworded answer that is no such hit."""
    return [_with_receipt(stream[reply.number], reply, receipts.get(reply.receipt)) for reply in replies]


def _with_receipt(asking: Asking, reply: Reply, receipt: Receipt | None) -> Heard:
    if reply.failure:
        return Heard(asking=asking, reply=reply)
    if receipt is None:
        wrong = reply.wrong or f"request {reply.number}: no receipt {reply.receipt!r} is in the ledger"
        return Heard(asking=asking, reply=reply, wrong=wrong)
    wrong = reply.wrong
    if reply.reworded and receipt.served != "normalised":
        wrong = f"request {reply.number}: the answer to another wording, and its receipt says {receipt.served}"
    return Heard(asking=asking, reply=reply, served=receipt.served, wrong=wrong)
