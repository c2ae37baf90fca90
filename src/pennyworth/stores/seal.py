"""How a kept answer becomes bytes in a row, and how a row proves that it is ours.

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

PER_ANSWER = 260
"""Bytes of the file an answer takes besides its encoded self (measured: ``benchmarks/store.py``)."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A kept answer, ready to be written. ``size``: bytes its answer counts for."""

    key: Key
    answer: Answer
    dead_s: float
    head: bytes
    body: bytes
    size: int
    mac: bytes


class Seal:
    """Turns kept answers into rows and back, under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._proof = Mac(hmac.digest(secret, b"pennyworth store/1", "sha256"))
        self._encode = msgspec.msgpack.Encoder().encode
        self._answer = msgspec.msgpack.Decoder(Answer).decode
        self._head = msgspec.msgpack.Decoder(tuple[float, float, int]).decode
        self._first_head = msgspec.msgpack.Decoder(tuple[str, float, float, int]).decode

    def close(self, batch: Sequence[Kept]) -> list[Row]:
        """Those that a row can hold: not text that is no Unicode, nor a time that is no number.

        An answer that several keys lead to is encoded once.
        """
        bodies: dict[int, bytes] = {}  # by identity: the batch holds every answer while this runs
        rows = []
        for kept in batch:
            answer = kept.answer
            try:
                body = bodies.get(id(answer)) or bodies.setdefault(id(answer), self._body(answer))
                head = self._encode((kept.expires_s, kept.stale_s, kept.asks))
            except (ValueError, OverflowError):
                continue
            dead_s = kept.expires_s + kept.stale_s
            if not math.isnan(dead_s):
                size = PER_ANSWER + len(body) + (sum(len(tag) + 10 for tag in answer.tags) if answer.tags else 0)
                rows.append(Row(kept.key, answer, dead_s, head, body, size, self._mac(kept.key, head, body)))
        return rows

    def open(self, key: Key, head: bytes, mac: bytes, scope: bytes, body: bytes) -> Kept | None:
        """``None`` when it is not, bit for bit, what was written under this key and secret."""
        try:
            if not hmac.compare_digest(mac, self._mac(key, head, body)):
                return None
            answer = self._answer(body)
            expires_s, stale_s, asks = self._read_head(head)
        except (TypeError, ValueError, msgspec.MsgspecError):  # a damaged row may hold values of any type
            return None
        if scope != answer.scope.encode():
            return None
        return Kept(key=key, answer=answer, expires_s=expires_s, stale_s=stale_s, asks=asks)

    def _read_head(self, head: bytes) -> tuple[float, float, int]:
        try:
            return self._head(head)
        except msgspec.ValidationError:  # one written under schema 1 begins with a word that nobody needs any more
            return self._first_head(head)[1:]

    def _body(self, answer: Answer) -> bytes:
        if math.isnan(answer.created_s) or not -(2**63) <= answer.asked_epoch < 2**63:
            raise ValueError(f"answer {answer.id}: a time or epoch out of range")
        return self._encode(answer)

    def _mac(self, key: bytes, head: bytes, body: bytes) -> bytes:
        return self._proof(key + head + body)  # the head's encoding ends itself: no two cuts
