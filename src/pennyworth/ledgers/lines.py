"""How one record of the books is written as one line of JSON, and read back. A line never contains a line break.

A record that is odd is still booked: the caller chooses some of its text, and the books must not lose a request for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from pennyworth.ledgers.postings import MAX_AT_S, MAX_TOKENS, Opening, Posting, posting
from pennyworth.money import Money
from pennyworth.outcome import Intent, Receipt

Record = Intent | Receipt

MAX_PICO = 2**90
"""Sums of receipts below this stay exact in every ledger; it is a quadrillion dollars."""


class Booked(NamedTuple):
    """What counts of a record, or all of it, and the line it stands on, so that nobody has to write it twice."""

    record: Record | Posting | Opening
    line: bytes


class DamagedLineError(ValueError):
    """A line that is no record, or a record that no ledger can sum."""


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a damaged line may raise. The last: brackets a thousand deep, also in a field that nobody reads."""

_RECORD: Any = Record
_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode


def to_line(record: Record) -> bytes:
    """The record as JSON, without the line break."""
    try:
        return _encode(record)
    except UnicodeEncodeError:
        return _encode(storable(record))


def from_line(line: bytes) -> Record:
    """The record of a line. Raises ``DamagedLineError``."""
    try:
        record = _decode(line)
    except _UNREADABLE:
        record = _from_line_with_nulls(line)
    if problem := unsummable(record):
        raise DamagedLineError(problem)
    return record


def from_lines(text: bytes) -> tuple[list[Booked], int]:
    """What the ledger needs of each line of a text, and how many lines are damaged. Empty lines are nothing."""
    lines = list(filter(None, text.split(b"\n")))
    try:
        text.decode()  # a posting reads past the fields it does not need, whatever their bytes
        return list(map(Booked._make, zip(map(posting, lines), lines, strict=True))), 0
    except _UNREADABLE:
        booked = [one for line in lines if (one := _booked(line))]
        return booked, len(lines) - len(booked)


def to_receipt(line: bytes) -> Receipt:
    """The receipt of a line that must hold one. Raises ``DamagedLineError``."""
    record = from_line(line)
    if not isinstance(record, Receipt):
        raise DamagedLineError(f"{record.id} is an intent where a receipt belongs")
    return record


def to_intent(line: bytes) -> Intent:
    """The intent of a line that must hold one. Raises ``DamagedLineError``."""
    record = from_line(line)
    if not isinstance(record, Intent):
        raise DamagedLineError(f"{record.id} is a receipt where an intent belongs")
    return record


def storable(record: Record) -> Record:
    """The record with lone surrogates, which UTF-8 cannot express, turned into question marks."""
    try:
        _encode(record)
    except UnicodeEncodeError:
        return msgspec.convert(_scrubbed(msgspec.to_builtins(record)), type=type(record))
    return record


def unsummable(record: Record) -> str:
    """Why a record cannot be added up, or "". A provider may report any number of tokens; one such must not stop the rest."""
    if not 0 <= record.at_s < MAX_AT_S:
        return f"its time, {record.at_s} s, is not one of this era"
    if isinstance(record, Intent):
        return _too_much((record.estimate,))
    if (usage := record.usage) is not None:
        for tokens in (usage.input, usage.output, usage.cached):
            if not -MAX_TOKENS < tokens < MAX_TOKENS:
                return f"it holds {tokens} tokens"
    return _too_much((record.spent, record.would_have_cost, record.own)) or _too_much(record.saved.values())


def _too_much(amounts: Iterable[Money]) -> str:
    for amount in amounts:
        if not -MAX_PICO < amount.pico < MAX_PICO:
            return f"it holds {amount.pico} picodollars"
    return ""


def _booked(line: bytes) -> Booked | None:
    with suppress(DamagedLineError):
        return Booked(from_line(line), line)
    return None


def _from_line_with_nulls(line: bytes) -> Record:
    # JSON has no word for an infinite or undefined float: msgspec writes null, and the field's default is what remains.
    try:
        record: Record = msgspec.convert(_without_nulls(msgspec.json.decode(line)), type=_RECORD)
    except _UNREADABLE as error:
        raise DamagedLineError(f"not a record: {error}") from error
    return record


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _without_nulls(value) for name, value in tree.items() if value is not None}
    return [_without_nulls(item) for item in tree] if isinstance(tree, list) else tree


def _scrubbed(tree: Any) -> Any:
    if isinstance(tree, str):
        return tree.encode("utf-8", "replace").decode()
    if isinstance(tree, dict):
        return {_scrubbed(name): _scrubbed(value) for name, value in tree.items()}
    return [_scrubbed(item) for item in tree] if isinstance(tree, list | tuple) else tree
