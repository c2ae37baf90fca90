"""How a kept answer becomes a row, covered where the file is encrypted, and how a row proves that it is ours.

Each key's row carries an HMAC over key, head (expiry, asks) and the whole answer: a flipped bit, a cut value, a row
moved to another key or written under another secret reads as "not there".
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Sequence

import msgspec

from pennyworth.mac import Mac
from pennyworth.outcome import Answer, Kept
from pennyworth.request import Key
from pennyworth.stores.cover import COVERED, NO_SALTS, Cover, Marks, NoCover, Salts

PER_ANSWER = 260
"""Bytes of the file an answer takes besides its encoded self (measured: ``benchmarks/store.py``)."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What stands beside a key for purges to select by. ``tags``: a JSON list, "" for none."""

    scope: str
    model: str
    tags: str
    client: str
    end_user: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """A kept answer, ready to be written. ``size``: bytes its answer counts for."""

    key: Key
    answer: Answer
    facts: Facts
    dead_s: float
    head: bytes
    body: bytes
    size: int
    mac: bytes


class Seal:
    """Turns kept answers into rows and back, under one secret and cover."""

    def __init__(self, secret: bytes, cover: Cover | None = None) -> None:
        self.cover = cover or NoCover()
        self.marks = Marks(secret)
        self._proof = Mac(hmac.digest(secret, b"pennyworth store/1", "sha256"))
        self._encode = msgspec.msgpack.Encoder().encode
        self._answer = msgspec.msgpack.Decoder(Answer).decode
        self._head = msgspec.msgpack.Decoder(tuple[float, float, int]).decode
        self._first_head = msgspec.msgpack.Decoder(tuple[str, float, float, int]).decode

    def close(self, batch: Sequence[Kept], salts: Salts = NO_SALTS) -> list[Row]:
        """Those that a row can hold: not text that is no Unicode, nor a time that is no number.

        An answer that several keys lead to is encoded once.
        """
        made: dict[int, tuple[bytes, Facts]] = {}  # by identity: the batch holds every answer while this runs
        rows = []
        for kept in batch:
            answer = kept.answer
            try:
                body, facts = made.get(id(answer)) or made.setdefault(id(answer), self._made(answer, salts))
                head = self._encode((kept.expires_s, kept.stale_s, kept.asks))
            except (ValueError, OverflowError):
                continue
            dead_s = kept.expires_s + kept.stale_s
            if not math.isnan(dead_s):
                size = PER_ANSWER + len(body) + len(facts.tags) + len(facts.client) + len(facts.end_user)
                rows.append(Row(kept.key, answer, facts, dead_s, head, body, size, self._mac(kept.key, head, body)))
        return rows

    def open(
        self, key: Key, head: bytes, mac: bytes, scope: bytes, body: bytes, salt: bytes | None = None
    ) -> Kept | None:
        """``None`` when it is not, bit for bit, what was written under this key and secret."""
        try:
            if not hmac.compare_digest(mac, self._mac(key, head, body)):
                return None
            covered = body[0] == COVERED
            clear = self.cover.open(scope.decode(), salt, body) if covered else body
            if clear is None:
                return None
            answer = self._answer(clear)
            expires_s, stale_s, asks = self._read_head(head)
        except (
            TypeError,
            ValueError,
            IndexError,
            AttributeError,
            msgspec.MsgspecError,
        ):  # a damaged row may hold values of any type
            return None
        if scope != (self.cover.name("scope", answer.scope) if covered else answer.scope).encode():
            return None
        return Kept(key=key, answer=answer, expires_s=expires_s, stale_s=stale_s, asks=asks)

    def _read_head(self, head: bytes) -> tuple[float, float, int]:
        try:
            return self._head(head)
        except msgspec.ValidationError:  # one written under schema 1 begins with a word that nobody needs any more
            return self._first_head(head)[1:]

    def _made(self, answer: Answer, salts: Salts) -> tuple[bytes, Facts]:
        name = self.cover.name
        tags = msgspec.json.encode([name("tag", tag) for tag in answer.tags]).decode() if answer.tags else ""
        facts = Facts(
            name("scope", answer.scope),
            name("model", answer.model),
            tags,
            name("client", answer.client),
            name("user", answer.end_user),
        )
        return self.cover.close(answer.scope, self._body(answer), salts), facts

    def _body(self, answer: Answer) -> bytes:
        if math.isnan(answer.created_s) or not -(2**63) <= answer.asked_epoch < 2**63:
            raise ValueError(f"answer {answer.id}: a time or epoch out of range")
        return self._encode(answer)

    def _mac(self, key: bytes, head: bytes, body: bytes) -> bytes:
        return self._proof(key + head + body)  # the head's encoding ends itself: no two cuts
