"""What every side saw in one episode: clients, providers, the disk. Written as it happens, judged at the end."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import Any

import msgspec

from pennyworth.outcome import Intent, Kept, Receipt
from pennyworth.sandbox.bill import BillLine
from pennyworth.simulation.wishes import Wish

_REPLY_ID = re.compile(rb'"id":"((?:chatcmpl-|msg_|resp_)[^"]+)"')


class Call(msgspec.Struct, kw_only=True):
    """One request as a provider saw it.

    Attributes:
        id: what the provider calls it; its reply says so. ``shown``: the credential
            that came with it. ``marked``: the watermark of its answer.
        tenant: whose it is, by the body's ``user`` field, which no key and no watermark depends on.
        fault: what the script made of it. ``silent``: its reply did not tell its usage.
        line: on the bill, once it has ended.
    """

    provider: str
    id: str
    model: str
    shown: str
    marked: str
    tenant: str
    fields: dict[str, Any]
    arrived_s: float
    arrived_wall_s: float
    fault: str = ""
    silent: bool = False
    line: BillLine | None = None


class Heard(msgspec.Struct, kw_only=True):
    """What a client made of the bytes that came.

    Attributes:
        id: the reply's. ``texts``: of each choice. ``finishes``: the reasons given.
        complete: a reader would take it for a whole answer. ``error``: an error was said, or it cannot be read.
    """

    id: str = ""
    texts: list[str] = []
    finishes: list[str] = []
    complete: bool = False
    error: str = ""
    usage: tuple[int, int] | None = None


class Asked(msgspec.Struct, kw_only=True):
    """One request as its client saw it.

    Attributes:
        handed_over: the gateway was given all of its bytes. ``reached``: the first of them.
        whole: the HTTP message ended as it should. ``left``: the client went first.
        given_up: it waited longer than anybody would. ``afterwards``: it came when all was well again.
    """

    wish: Wish
    sent_s: float
    sent_wall_s: float
    process: str = ""
    ended_s: float = 0.0
    status: int = 0
    headers: dict[str, str] = {}
    receipt: str = ""
    heard: Heard = msgspec.field(default_factory=Heard)
    whole: bool = False
    left: bool = False
    given_up: bool = False
    afterwards: bool = False
    handed_over: bool = False
    reached: bool = False
    alive: bool = True


class Order(msgspec.Struct, frozen=True):
    """Something an operator was told is done: from then on answers asked for before it must not be given."""

    at_s: float
    what: str
    value: str = ""


class History:
    """``receipts``: acknowledged, in order. ``intents``: the last that was, for each id.

    ``announced``: every intent of an id, whether the disk took it or not. ``refused``: the receipts it would not take.
    ``lost``: ids whose process died, and of which the disk knows nothing at all. ``created``: reply id -> when its answer
    was kept first, by the wall clock.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.calls: dict[str, Call] = {}
        self.receipts: list[Receipt] = []
        self.intents: dict[str, Intent] = {}
        self.announced: defaultdict[str, list[Intent]] = defaultdict(list)
        self.refused: dict[str, Receipt] = {}
        self.lost: set[str] = set()
        self.kept: list[Kept] = []
        self.created: dict[str, float] = {}
        self.orders: list[Order] = []
        self.troubles: list[str] = []
        self.crashes = 0
        self.calm = False
        self._digest = hashlib.sha256()

    def asks(self, asked: Asked) -> None:
        asked.afterwards = self.calm
        self.asked.append(asked)

    def acknowledge(self, record: Intent | Receipt) -> None:
        if isinstance(record, Intent):
            self.intents[record.id] = record
            self.announced[record.id].append(record)
        else:
            self.receipts.append(record)
            self._note(record.id[-6:], record.served, record.ending, record.status, record.spent.pico, record.model)

    def refuse(self, record: Intent | Receipt) -> None:
        if isinstance(record, Intent):
            self.announced[record.id].append(record)
        else:
            self.refused[record.id] = record

    def keeps(self, kept: Kept) -> None:
        self.kept.append(kept)
        found = _REPLY_ID.search(kept.answer.raw)
        if found is not None:
            self.created.setdefault(found[1].decode(), kept.answer.created_s)

    def calls_for(self, call: Call) -> None:
        self.calls[call.id] = call
        self._note(call.id, call.marked, call.arrived_s, call.fault)

    def ends(self, asked: Asked) -> None:
        heard = asked.heard
        self._note(asked.wish.number, asked.status, asked.ended_s, heard.id, heard.texts, heard.finishes, asked.whole)

    def _note(self, *what: object) -> None:
        self._digest.update(repr(what).encode())

    def digest(self) -> str:
        """The same for the same seed, everywhere. Without what a run draws afresh: the middle of receipt ids."""
        return self._digest.hexdigest()[:16]
